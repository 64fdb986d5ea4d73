"""Parts of recipes.divergences."""

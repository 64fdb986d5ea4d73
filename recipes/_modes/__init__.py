"""Parts of recipes.modes."""

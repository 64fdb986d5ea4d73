"""Parts of recipes.tournament."""

"""Parts of recipes.compare."""

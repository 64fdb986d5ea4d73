"""Parts of recipes.transport."""

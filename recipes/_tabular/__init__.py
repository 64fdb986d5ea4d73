"""Parts of recipes.tabular."""

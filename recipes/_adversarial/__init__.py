"""Parts of recipes.adversarial."""

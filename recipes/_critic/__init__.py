"""Parts of recipes.critic."""

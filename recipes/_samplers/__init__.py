"""Parts of recipes.samplers: the study of samplers, its pictures and its table."""

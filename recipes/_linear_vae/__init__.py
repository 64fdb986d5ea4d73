"""The parts of recipes.linear_vae."""

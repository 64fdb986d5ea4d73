"""The parts of recipes.vae."""

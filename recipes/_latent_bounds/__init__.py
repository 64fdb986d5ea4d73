"""The parts of recipes.latent."""

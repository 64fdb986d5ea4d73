"""The parts of recipes.autoencoder: tasks, game, baselines, judge and pictures."""

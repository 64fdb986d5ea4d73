"""Parts of the recipes of diffusion models: networks, games, judges, tasks, pictures."""

"""Running an experiment: flags, folders, checkpoints, training."""

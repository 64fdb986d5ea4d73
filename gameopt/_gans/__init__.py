"""GANs as games: points, networks, losses, penalties."""

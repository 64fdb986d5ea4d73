"""GANs as recipes train and judge them."""

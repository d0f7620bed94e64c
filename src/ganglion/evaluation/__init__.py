"""Scores of a run, of its checkpoints or of any images, against real images; latent directions between classes."""

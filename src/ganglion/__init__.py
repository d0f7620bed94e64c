"""Ganglion trains generative adversarial networks that converge, and says why when one does not."""

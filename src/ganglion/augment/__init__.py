"""Differentiable changes of the images that D sees, real and fake alike."""

"""Differentiable augmentation of D's input, real and fake alike."""

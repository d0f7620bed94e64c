"""G and D: families of networks, initialisation, latents, cost."""

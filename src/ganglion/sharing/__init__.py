"""A run for others: what of it goes to the Hugging Face Hub, its model card, and a Space to explore it in."""

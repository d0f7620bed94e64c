"""Runs the loop: EMA, checkpoints, the run folder, what a person sees while it runs."""

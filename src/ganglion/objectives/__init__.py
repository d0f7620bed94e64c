"""Losses and penalties of G and D: pure functions."""

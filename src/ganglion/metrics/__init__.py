"""Scores of image sets, independent of runs."""

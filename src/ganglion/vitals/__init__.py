"""Measurements during training: statistics of steps, the probe of samples, and the record."""

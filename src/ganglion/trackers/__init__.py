"""Trackers of other makers, which show records and samples while a run trains: Weights & Biases, MLflow, Trackio."""

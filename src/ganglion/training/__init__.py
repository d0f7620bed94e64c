"""Trains: prepares a run, the loop and its phases, averages, budgets, snapshots; `check` before training."""

"""Trains: prepares a run, the loop and its phases, averages, budgets, snapshots; `check` before training."""

import ganglion.platform.fabric as _fabric  # noqa: F401

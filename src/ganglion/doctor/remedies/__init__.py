"""Remedies: ideas by subject, each a function of a run's recipe and records, and what of them fits a run."""

"""The run folder: its files, checkpoints, the journal of records and findings, and its history."""

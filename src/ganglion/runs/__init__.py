"""The run folder: what lies in it, checkpoints, the journal of records and findings, and its history."""

"""Logs of other trainers as records: one reader per format, one table of names."""

"""Other trainers' logs as records: one reader a format, one table of names."""

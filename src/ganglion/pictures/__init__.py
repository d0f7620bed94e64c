"""Sheets, films and figures: how images become files that a person looks at."""

"""Diagnosis: from records to a verdict. NumPy only, no torch: it takes milliseconds on any machine."""

"""HOW GOOD: image sets in, numbers out. Knows no run."""

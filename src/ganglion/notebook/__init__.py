"""What notebooks show: HTML fragments, small charts, and outputs of a cell that are replaced."""

"""Use of a trained generator: sampling, walks, directions, projection, completion."""

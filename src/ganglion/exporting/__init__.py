"""Files of a trained generator for other programs, each compared with PyTorch before it is written."""

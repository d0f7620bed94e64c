"""The same measurements on any training loop, by hooks without side effects."""

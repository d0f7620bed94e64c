"""WHAT to train: the typed recipe, its presets and overrides. Knows nothing of the other rooms."""

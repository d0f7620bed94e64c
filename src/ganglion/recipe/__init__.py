"""The typed recipe, its presets and overrides. Imports no other package of Ganglion but `errors`."""

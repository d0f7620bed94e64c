"""The command line: thin commands, one file each. It decides nothing."""

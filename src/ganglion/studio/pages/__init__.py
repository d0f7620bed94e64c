"""The pages: each module has `build(studio)`, which creates its components in the current Blocks context."""

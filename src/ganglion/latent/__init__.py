"""What a trained generator is good for: sample it, and later walk, edit, project, complete."""

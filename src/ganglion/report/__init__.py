"""What is told of a run once it is there: scores, figures, pages. Uses all that is below."""

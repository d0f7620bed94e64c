"""Images IN: sources -> scan -> store -> batches. Only `batches` and `pixels` load torch."""

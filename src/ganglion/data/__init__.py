"""The data pipeline: sources -> scan -> store -> batches. Only `batches` and `pixels` import torch."""

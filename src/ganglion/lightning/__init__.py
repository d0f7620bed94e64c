"""`from ganglion.lightning import Watch`: a callback of PyTorch Lightning, which is imported with this package only."""

from ganglion.lightning.watch import Watch as Watch

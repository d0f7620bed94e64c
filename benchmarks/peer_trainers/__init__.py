"""Trainers that benchmarks/peers.py compares, each run in a process of its own by run.py."""

"""WHAT IS MEASURED: probes, signals, the record."""

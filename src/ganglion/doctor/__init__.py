"""WHY: reads records and concludes. NumPy only: it can be asked about any run, on any machine, in milliseconds."""

"""Files, devices, signals and the terminal: everything that depends on machine and operating system."""

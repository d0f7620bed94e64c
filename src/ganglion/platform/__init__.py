"""Files, devices, signals and the screen: what depends on the machine and the operating system."""

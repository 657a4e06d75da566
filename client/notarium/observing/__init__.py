"""What surrounds a run: Python, packages, machine, GPUs, random numbers and code; seen, and never changed."""

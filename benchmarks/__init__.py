"""What the suite costs, in time and memory: ``python -m benchmarks``."""

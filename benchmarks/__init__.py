"""What the suite costs, as ratios of times taken in turn in one run: ``python -m benchmarks``."""

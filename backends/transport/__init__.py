"""How a backend is asked: numpy arrays on both sides, from a process of its own."""

"""The run: what it is asked for, the backends that it asks, how an answer is judged, and what is recorded of it."""

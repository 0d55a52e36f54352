"""Numbers: a tape that differentiates over any of them, balls that hold the exact result, and what a precision can hold."""

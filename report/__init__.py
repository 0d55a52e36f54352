"""Results files and what is read from them. Imports nothing of the suite that wrote them but its vocabulary."""

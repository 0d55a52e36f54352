"""What can be said: the words that all rooms share, and a record for each operator, loss, layer and update rule."""

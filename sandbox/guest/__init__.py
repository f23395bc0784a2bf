"""Code that runs inside a worker. Standard library only; sent over standard input, so no image has to contain it."""

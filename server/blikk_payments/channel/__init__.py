"""Blikk's Payment Channel API over HTTP, and nothing else."""

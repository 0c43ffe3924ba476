"""Keeps secrets out of everything this process writes."""

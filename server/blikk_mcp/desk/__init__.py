"""Calls of tools: taken, answered, and put to a person where they have to confirm or open a link."""

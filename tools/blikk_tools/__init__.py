"""What an agent sees: one file a tool, the one result shape, the words for person and model."""

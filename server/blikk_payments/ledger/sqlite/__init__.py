"""SQLite: the file, its schema and its place on the disk."""

"""Writes what registries and hosts install: each package from `product.toml`, the settings' table and the version."""

"""The process: command line, settings, logs, redaction, MCP transports. Knows no money rules."""

__version__ = "0.2.0"

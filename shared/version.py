"""The release's number, the one place it is written besides pyproject.toml (a test compares them)."""

VERSION = "0.1.0"

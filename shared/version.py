"""The release's number, and the one place where it is written: wheel, metrics and `connect --version` take it."""

VERSION = "0.1.0"

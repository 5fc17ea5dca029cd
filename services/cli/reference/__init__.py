"""Pages of the reference that are made from code: events, settings, commands. Written by `services.cli.generated`."""

"""`connect up`: everything on one machine, started in order, looked after, and described in up.json."""

"""How the whole installation is doing, as the page, the API and the command line say it."""

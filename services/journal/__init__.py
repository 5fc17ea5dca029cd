"""The Journal: pages for people and the HTTP API under `/api/v1`. Started by `python -m services.journal`."""

"""The calls under `/api/v1`, one file per resource. Handlers are thin: what they do lies in `shared`."""

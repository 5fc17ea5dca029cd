"""A person's data: where it lies, looking it up, handing it out, erasing it, and how long it stays."""

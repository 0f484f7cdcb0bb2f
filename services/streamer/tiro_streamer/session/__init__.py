"""One live session: its record, its assignment to a worker, its life over one or more connections."""

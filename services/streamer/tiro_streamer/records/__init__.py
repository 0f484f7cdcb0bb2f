"""The record of a session: its assignment to a worker, and look-ups of the record and its events."""

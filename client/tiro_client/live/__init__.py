"""Live streams: one session over any number of connections."""

"""Live streams: latency, accuracy, memory, and what the services add."""

"""From a client's requests to PCM16 and controls."""

"""The audio log of a session: its PCM16 and controls in order, in JetStream, with one writer at a time."""

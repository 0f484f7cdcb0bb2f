"""Transcribing live sessions: owned by lease, read from the audio log, published to the event log."""

"""Transcribing recordings: durable jobs, taken from a queue, owned by lease, committed once."""

"""Transcribing recordings: durable jobs, claimed from a work queue, owned by lease, committed once."""

"""Transcribing live sessions: owned by lease, read from one numbered line, answered on another."""

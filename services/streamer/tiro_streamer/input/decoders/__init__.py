"""Decoders of live audio, one for each kind of encoding."""

"""Transcripts as text. Pages written one after the other are the file."""

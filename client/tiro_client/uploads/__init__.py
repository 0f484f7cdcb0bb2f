"""Uploads: a recording sent in pieces, continued after a lost connection."""

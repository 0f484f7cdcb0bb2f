"""Recordings as jobs: speed and text against the engine alone."""

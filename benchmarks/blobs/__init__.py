"""Recordings into the store and out again."""

"""Bringing streams to what `topology` declares."""

"""Callbacks: a signed POST to whoever wants to know that a job is over."""

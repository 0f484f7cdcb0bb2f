"""Callbacks: a signed POST to the address that a job names, once it is over."""

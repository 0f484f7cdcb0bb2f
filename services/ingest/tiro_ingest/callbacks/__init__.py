"""Callbacks: a signed POST to the URI that a job names, once the job is over."""

"""Fetching the recordings of jobs that name a URI."""

"""Uploads: written by calls, verified, referenced by jobs."""

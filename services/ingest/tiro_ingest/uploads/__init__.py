"""Uploads: written in pieces, verified, referenced by jobs."""

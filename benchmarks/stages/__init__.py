"""Stages between the engine and the transcript."""

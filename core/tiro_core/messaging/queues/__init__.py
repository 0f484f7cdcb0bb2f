"""Queues of work: putting task messages in, and taking them out."""

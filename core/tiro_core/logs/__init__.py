"""Structured logs: one event a line, JSON for machines or colours for people.

No line has a word of a transcript, a name that a caller gave, a local variable of an exception, or a secret.
"""

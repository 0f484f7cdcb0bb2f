"""Owning work: a record is claimed, its lease is renewed during the work, then the work is committed or handed over.

`runner.py` is the one loop for jobs, live sessions, fetches and callbacks. Each of them is a `Work`.
"""

"""Owning work: a record is claimed, its lease is renewed while the work goes on, then it is settled or handed over.

`runner.py` is the one loop for jobs, live sessions, fetches and callbacks. What differs among them is a `Work`.
"""

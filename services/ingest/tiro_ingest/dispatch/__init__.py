"""Offering queued jobs to workers, in a fair order among tenants."""

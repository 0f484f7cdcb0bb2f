"""Enqueueing waiting jobs for workers, in a fair order among tenants."""

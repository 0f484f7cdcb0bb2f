"""The cost of jobs around the engine: accepting, listing, latency of events, sharing of workers among tenants."""

"""API keys, and the tenant they open."""

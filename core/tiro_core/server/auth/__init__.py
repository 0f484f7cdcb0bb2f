"""API keys, and the tenants that they authenticate."""

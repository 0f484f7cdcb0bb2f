"""Commands for the operator of a deployment: API keys and usage. They connect to NATS, not to a service."""

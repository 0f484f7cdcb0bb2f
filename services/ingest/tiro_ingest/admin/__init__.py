"""Commands for the operator of a deployment: API keys and usage. They talk to NATS, not to a service."""

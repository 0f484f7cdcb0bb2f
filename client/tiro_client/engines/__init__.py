"""The engines and models of a deployment."""

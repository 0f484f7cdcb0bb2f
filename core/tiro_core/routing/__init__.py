"""Choosing the engine of a request, and another one when it fails: the deployment's rules, and the router."""

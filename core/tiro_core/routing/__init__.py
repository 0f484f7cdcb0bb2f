"""Choosing the engine of a request, and another one when it fails: what a deployment says, and how it is followed."""

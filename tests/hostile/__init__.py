"""A corpus of broken and hostile media, made on the spot: the same seed gives the same bytes."""

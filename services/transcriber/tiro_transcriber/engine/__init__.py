"""The loaded engine: its threads, its usage, and its results as messages of the contract."""

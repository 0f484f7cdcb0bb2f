"""HTTP to addresses that callers name, and that must be no way into the network."""

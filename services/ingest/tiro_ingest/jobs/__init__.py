"""Jobs: accepted, read, listed, followed, cancelled."""

"""The same live streams through other servers."""

"""Live sessions, for every service."""

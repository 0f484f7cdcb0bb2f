"""Jobs, for every service: records, states and their transitions, the event log, the archive."""

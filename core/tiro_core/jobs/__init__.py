"""Jobs as every service knows them: records, states and their transitions, the event log, the archive."""

"""The context of a streamer, which all sessions share, and that of one connection to a session."""

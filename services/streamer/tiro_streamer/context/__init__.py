"""What every session of a streamer uses, and what the parts of one connection to a session share."""

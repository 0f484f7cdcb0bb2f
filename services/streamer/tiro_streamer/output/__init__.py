"""The output of a connection: from the events and partials of a session to the responses that its client reads."""

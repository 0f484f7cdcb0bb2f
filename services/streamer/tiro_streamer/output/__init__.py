"""From the events and partials of a session to the responses that a client reads."""

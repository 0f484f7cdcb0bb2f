"""The responses to a client: how they are made, and their one writer."""

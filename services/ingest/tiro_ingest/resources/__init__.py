"""What callers see of the resources: names, page tokens, request ids, URIs, and the messages made of records."""

"""Resources as callers see them: names, page tokens, request ids, URIs, and the messages made of records."""

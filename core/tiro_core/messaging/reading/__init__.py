"""Reading a stream: page by page, or following it."""

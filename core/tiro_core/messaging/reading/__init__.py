"""Reading a stream: page by page, or by following it."""

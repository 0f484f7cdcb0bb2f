"""One module per output format. Each is named as its format and has a `WRITER`."""

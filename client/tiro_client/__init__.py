"""Python client library and the `tiro` command line."""

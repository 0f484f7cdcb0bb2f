"""The `tiro` command line."""

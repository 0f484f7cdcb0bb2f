"""`tiro listen` and `tiro watch`: live sessions."""

"""`tiro jobs`: look at jobs, and change them."""

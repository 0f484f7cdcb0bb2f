"""`tiro jobs`: list, show and change jobs."""

"""`tiro jobs`: jobs that were submitted before."""

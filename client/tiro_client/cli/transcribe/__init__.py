"""`tiro transcribe`: recordings to text."""

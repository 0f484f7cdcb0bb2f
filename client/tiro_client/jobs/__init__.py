"""Jobs: submitted, followed, listed, and their transcripts."""

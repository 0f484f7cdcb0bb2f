"""Speech engines: what is asked of one (`interface`), finding them (`registry`), and those that come with Tiro."""

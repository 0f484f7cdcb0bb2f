"""Speech engines: their interface (`interface`), finding them (`registry`), and those that come with Tiro."""

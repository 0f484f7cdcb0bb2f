"""Jobs as every service knows them: the states they go through, the history that tells of it."""

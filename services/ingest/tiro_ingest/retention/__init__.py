"""How long jobs and recordings are kept, and their removal."""

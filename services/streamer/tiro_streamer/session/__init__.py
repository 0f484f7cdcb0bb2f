"""A live session on one connection: begun or resumed, served, and left to another connection or ended."""

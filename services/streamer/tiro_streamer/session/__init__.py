"""A live session over one connection: begun or resumed, served, and left to another connection or ended."""

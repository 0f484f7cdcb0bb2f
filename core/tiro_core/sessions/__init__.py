"""Live sessions as every service knows them."""

"""Creating and updating the streams as `topology` declares them."""

"""What a client is sent: how its messages are made, and the one writer of them."""

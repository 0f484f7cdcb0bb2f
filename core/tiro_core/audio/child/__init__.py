"""What runs in the decoding processes. Services import nothing from here."""

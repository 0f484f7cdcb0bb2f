"""The code of the decoding processes. Services import nothing from here."""

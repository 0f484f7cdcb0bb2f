"""The stage that replaces words and phrases which the caller names."""

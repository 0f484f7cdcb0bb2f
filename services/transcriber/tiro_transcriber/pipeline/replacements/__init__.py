"""The stage that replaces words and phrases that the caller names."""

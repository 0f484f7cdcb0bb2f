"""Shadows: another engine transcribes the same audio, and the difference between the two is measured."""

"""Faults of a deployment's settings, which only an operator can correct."""


class SettingsError(Exception):
    """A setting, or a file that a setting names, cannot work. The message says why and what to do about it."""

"""Why a service does not start: said in one line, with an exit status that scripts can use."""

EXIT_SETTINGS = 2
"""The settings make no sense, or cannot be met on this machine."""
EXIT_UNSAFE = 3
"""The service could not keep its promises here."""


class CannotStart(Exception):  # noqa: N818 - reads as the condition it reports
    """The service does not start. The message says why and what to do about it."""

    exit_status = EXIT_SETTINGS

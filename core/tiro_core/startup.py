"""Exit statuses of services, and the error of a service that does not start."""

EXIT_SETTINGS = 2
"""The settings make no sense, or cannot be met on this machine."""
EXIT_UNSAFE = 3
"""The service could not keep its promises here."""
EXIT_STOP_OVERDUE = 4
"""The service did not stop in time and ended itself: see `tiro_core.server.stop_clock`."""


class CannotStart(Exception):  # noqa: N818 - reads as the condition it reports
    """The service does not start. The message says why and what to do about it."""

    exit_status = EXIT_SETTINGS

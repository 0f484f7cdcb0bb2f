"""Exit statuses of services, and the error of a service that refuses to start."""

EXIT_CRASHED = 1
"""An error that Tiro does not expect ended the service. The log has it."""
EXIT_SETTINGS = 2
"""The settings are not valid, or this machine cannot meet them."""
EXIT_UNSAFE = 3
"""The NATS server could lose acknowledged jobs."""
EXIT_STOP_OVERDUE = 4
"""The service did not stop in time and ended itself: see `tiro_core.server.stop_clock`."""


class CannotStart(Exception):  # noqa: N818 - reads as the condition it reports
    """The service refuses to start. The message says why and what to do about it."""

    exit_status = EXIT_SETTINGS

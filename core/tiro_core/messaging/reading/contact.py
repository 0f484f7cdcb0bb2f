"""The last contact of a consumer with the server, by the server's clock.

The clock of this process does not show how long it was cut off. It stands still with a suspended host, and a process
that was stopped receives old heartbeats from its socket when it continues.
"""

from math import inf
from time import monotonic as _now

CREDIT_SECONDS_MAX = 3.0
"""The most time that one message proves. Heartbeats come every second: where the next message comes later, the process
may have been stopped in between."""


class Contact:
    """Estimates when the server last answered. The estimate may be too early, which costs a needless restart."""

    def __init__(self) -> None:
        self._server_time = inf
        self._received_at = 0.0

    def answered(self, server_time: float) -> None:
        """Note an answer of the server.

        Args:
            server_time: The server's time in it, in seconds since 1970.
        """
        self._server_time = server_time
        self._received_at = _now()

    def received(self) -> None:
        """Note a message without a time of its own."""
        now = _now()
        self._server_time += min(now - self._received_at, CREDIT_SECONDS_MAX)
        self._received_at = now

    def seconds_until(self, server_time: float) -> float:
        """The seconds from the last contact to a later time of the server. Negative before the first contact."""
        return server_time - self._server_time

"""nats-py's client, changed so that it can be cancelled, keeps its time limits, and leaves a silent server."""

import asyncio
from typing import Any

import nats.errors
from nats.aio.client import Client, Srv
from nats.aio.msg import Msg
from nats.aio.transport import TcpTransport
from nats.protocol.parser import PERMISSIONS_ERR, STALE_CONNECTION

from tiro_core.logs.logger import get_logger
from tiro_core.messaging.cancellation import preserving_cancellation

REQUEST_TIMEOUT_SECONDS = 5.0
"""How long one request to JetStream may take before it is tried again or given up."""


LAST_FLUSH_SECONDS = 2
"""How long a server may take to receive the unsent messages when the connection is closed."""

log = get_logger()


class NatsClient(Client):
    """nats-py's client, repaired where a silent server or a cancellation would make it hang.

    The methods that begin with an underscore are nats-py's own (2.16); `tests/integration/core/test_silent_nats.py`
    shows for each what happens without.
    """

    async def request(
        self,
        subject: str,
        payload: bytes = b"",
        timeout: float = REQUEST_TIMEOUT_SECONDS,
        old_style: bool = False,
        headers: dict[str, str] | None = None,
    ) -> Msg:
        """Send a request and wait for its answer.

        Raises:
            nats.errors.TimeoutError: There was no answer. `timeout` includes sending, which waits for room in the
            buffer.
        """
        answer = preserving_cancellation(super().request(subject, payload, timeout, old_style, headers))
        if self._has_room(len(payload)):
            return await answer  # the message is sent without a wait, so nats-py's own limit is enough
        try:
            async with asyncio.timeout(timeout):
                return await answer
        except nats.errors.TimeoutError:
            raise
        except TimeoutError:
            raise nats.errors.TimeoutError from None

    def _has_room(self, payload_bytes: int) -> bool:
        """Whether the send buffer has room for a message, with any headers."""
        return self.pending_data_size + payload_bytes < self._max_pending_size // 2

    async def close(self) -> None:
        """Close the connection. Messages that the server does not receive within `LAST_FLUSH_SECONDS` are dropped."""
        try:
            if self.is_connected:
                await self.flush(LAST_FLUSH_SECONDS)
        except (nats.errors.Error, OSError) as error:
            log.warning("nats_unsent", bytes=self.pending_data_size, reason=repr(error))
        if self.pending_data_size:
            # nats-py would wait until all is sent, and leave its tasks running when that fails.
            self._abort_connection()
            self._pending.clear()
            self._pending_data_size = 0
        await super().close()

    async def _flush_pending(self, force_flush: bool = False) -> Any:
        """Send the pending messages. nats-py drops a cancellation that comes while this waits for room."""
        return await preserving_cancellation(super()._flush_pending(force_flush))

    async def _process_err(self, err_msg: str) -> None:
        """Connect again when the server ends the connection with an error. nats-py would close it for good.

        The server does so when credentials have expired, or a command was too long. A permission that is missing on a
        subject leaves the connection open, and nats-py itself connects again when a connection is stale.
        """
        if any(known in err_msg.lower() for known in (PERMISSIONS_ERR, STALE_CONNECTION)):
            await super()._process_err(err_msg)
            return
        error = nats.errors.Error(f"nats: {err_msg}")
        await self._error_cb(error)
        await self._process_op_err(error)

    async def _attempt_reconnect(self) -> None:
        """Connect again. nats-py would first wait without a limit until the lost connection has sent its buffer.

        Requests whose answers the lost connection would have brought time out at once, to be tried again over the next
        one. nats-py lets them wait to the end of their limits.
        """
        self._abort_connection()
        for answer in self._resp_map.values():
            if not answer.done():
                answer.set_exception(nats.errors.TimeoutError())
        await super()._attempt_reconnect()

    async def _connect_to_server(self, s: Srv) -> None:
        """Connect to one server, and close the connection of a try that failed. nats-py would leave it open.

        nats-py also drops a cancellation that meets a refused connection, and tries the next server.
        """
        self._abort_connection()
        await preserving_cancellation(super()._connect_to_server(s))

    async def _process_connect_init(self) -> None:
        """Greet the server. nats-py drops a cancellation that meets an error here as well."""
        await preserving_cancellation(super()._process_connect_init())

    def _abort_connection(self) -> None:
        if isinstance(self._transport, TcpTransport) and self._transport._io_writer is not None:  # noqa: SLF001 - as above
            self._transport._io_writer.transport.abort()  # noqa: SLF001 - as above

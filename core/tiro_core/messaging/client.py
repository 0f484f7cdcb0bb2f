"""nats-py's client where it can be cancelled, keeps to its time limits, and gives a silent server up."""

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
"""How long a server may take for what is unsent when the connection is closed."""

log = get_logger()


class NatsClient(Client):
    """nats-py's client, repaired where a server that says nothing any more, or a cancellation, would hang it.

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
            nats.errors.TimeoutError: There was none. `timeout` counts sending as well, which waits for room.
        """
        try:
            async with asyncio.timeout(timeout):
                return await preserving_cancellation(super().request(subject, payload, timeout, old_style, headers))
        except nats.errors.TimeoutError:
            raise
        except TimeoutError:
            raise nats.errors.TimeoutError from None

    async def close(self) -> None:
        """Close the connection. What a server does not take within `LAST_FLUSH_SECONDS` is dropped."""
        try:
            if self.is_connected:
                await self.flush(LAST_FLUSH_SECONDS)
        except (nats.errors.Error, OSError) as error:
            log.warning("nats_unsent", bytes=self.pending_data_size, reason=repr(error))
        if self.pending_data_size:
            # nats-py would wait until it is sent, and leave its tasks running when that fails.
            self._abort_connection()
            self._pending.clear()
            self._pending_data_size = 0
        await super().close()

    async def _flush_pending(self, force_flush: bool = False) -> Any:
        """Send what waits. nats-py drops a cancellation that comes while this waits for room."""
        return await preserving_cancellation(super()._flush_pending(force_flush))

    async def _process_err(self, err_msg: str) -> None:
        """Connect again when the server ends the connection with an error. nats-py would close it for good.

        So it is when credentials have expired, or a command was too long. What is not allowed on a subject leaves the
        connection as it is, and a connection that counts as stale is made again by nats-py itself.
        """
        if any(known in err_msg.lower() for known in (PERMISSIONS_ERR, STALE_CONNECTION)):
            await super()._process_err(err_msg)
            return
        error = nats.errors.Error(f"nats: {err_msg}")
        await self._error_cb(error)
        await self._process_op_err(error)

    async def _attempt_reconnect(self) -> None:
        """Connect again. nats-py would first wait until the lost connection has sent what it holds, for ever."""
        self._abort_connection()
        await super()._attempt_reconnect()

    async def _connect_to_server(self, s: Srv) -> None:
        """Connect to one server. nats-py forgets the connection of a try that failed, and leaves it open."""
        self._abort_connection()
        await super()._connect_to_server(s)

    def _abort_connection(self) -> None:
        if isinstance(self._transport, TcpTransport) and self._transport._io_writer is not None:  # noqa: SLF001 - as above
            self._transport._io_writer.transport.abort()  # noqa: SLF001 - as above

"""The server: a thread of its own, so that a test may block while it answers."""

import asyncio
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import trustme

from tests.support.transcribe_service.connection import Connection
from tests.support.transcribe_service.exchange import Account, Exchange, Reply
from tests.support.transcribe_service.failures import conflict, limit_exceeded
from tests.support.transcribe_service.record import StreamRecord
from tests.support.transcribe_service.script import Script
from tests.support.transcribe_service.signatures import Keys

HOST = "localhost"
REGION = "eu-west-1"
ACCESS_KEY = "AKIDOFTHETESTS000000"
SECRET_KEY = "secret of the tests"  # noqa: S105 - the server is ours
START_SECONDS_MAX = 10.0
STOP_SECONDS_MAX = 10.0
WAIT_SECONDS_MAX = 20.0


class TranscribeServer:
    """A server, its record of all streams, and scripts for the next ones.

    Args:
        folder: An existing folder for the certificate of its authority.
        token: The session token, if the credentials are temporary.
    """

    def __init__(self, folder: Path, *, token: str | None = None) -> None:
        self.account = Account(Keys(ACCESS_KEY, SECRET_KEY, token), REGION)
        self.ca_file = folder / "transcribe-ca.pem"
        """The certificate authority that clients must trust: `SSL_CERT_FILE` for the SDK."""
        self.default = Script()
        """The script of a stream for which none is planned."""
        self.streams_max: int | None = None
        """Limit of open streams. More are refused with LimitExceededException."""
        self.streams: list[StreamRecord] = []
        """Every stream, in the order of requests."""
        self.port = 0
        self._planned: deque[Script] = deque()
        self._exchanges: list[Exchange] = []
        self._connections: frozenset[Connection] = frozenset()
        self._changes = threading.Condition()
        self._faults: list[dict[str, Any]] = []
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda _, fault: self._faults.append(fault))

    @property
    def url(self) -> str:
        """URL for the SDK's endpoint resolver."""
        return f"https://{HOST}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Environment in which AWS's credential chain finds the credentials, and TLS the authority."""
        keys = self.account.keys
        token = {} if keys.token is None else {"AWS_SESSION_TOKEN": keys.token}
        return {
            "AWS_ACCESS_KEY_ID": keys.access_key,
            "AWS_SECRET_ACCESS_KEY": keys.secret_key,
            "SSL_CERT_FILE": str(self.ca_file),
            **token,
        }

    @property
    def connections(self) -> int:
        """Number of open connections."""
        return sum(connection.is_open for connection in self._connections)

    @property
    def streams_open(self) -> int:
        """Number of streams that have not ended."""
        return sum(record.end is None for record in self.streams)

    def stream(self, session_id: str) -> StreamRecord:
        """The stream with this session id, once its request has arrived.

        Raises:
            AssertionError: It has not arrived in time.
        """

        def named() -> StreamRecord | None:
            return next((one for one in self.streams if one.request and one.request.session_id == session_id), None)

        self.wait_until(lambda: named() is not None)
        found = named()
        assert found is not None
        return found

    def plan(self, *scripts: Script) -> None:
        """Set the scripts of the next streams, one each."""
        self._planned.extend(scripts)

    def wait_until(self, holds: Callable[[], bool], seconds: float = WAIT_SECONDS_MAX) -> None:
        """Wait until a condition on streams holds. Blocks: `asyncio.to_thread` where the SDK is on this loop.

        Raises:
            AssertionError: It does not hold in time; the message has the streams.
        """
        with self._changes:
            assert self._changes.wait_for(holds, timeout=seconds), f"not in {seconds} s: {self.streams}"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Listen on a free port, and drop every connection at the end.

        Raises:
            AssertionError: The server itself has failed. Raised at the end.
        """
        context = self._tls()
        thread = threading.Thread(target=self._loop.run_forever, name="transcribe-server")
        thread.start()
        try:
            listening = asyncio.run_coroutine_threadsafe(self._listen(context), self._loop).result(START_SECONDS_MAX)
            try:
                yield
            finally:
                asyncio.run_coroutine_threadsafe(self._stop(listening), self._loop).result(STOP_SECONDS_MAX)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(STOP_SECONDS_MAX)
            self._loop.close()
        assert not self._faults, f"the server failed: {self._faults}"

    def _tls(self) -> ssl.SSLContext:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.ca_file))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["h2"])
        authority.issue_cert(HOST).configure_cert(context)
        return context

    async def _listen(self, context: ssl.SSLContext) -> asyncio.Server:
        server = await self._loop.create_server(self._connect, "127.0.0.1", 0, ssl=context)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _stop(self, server: asyncio.Server) -> None:
        server.close()
        for connection in self._connections:
            connection.abort()
        await server.wait_closed()
        await asyncio.gather(*(connection.gone.wait() for connection in self._connections if connection.is_open))

    def _connect(self) -> Connection:
        connection = Connection(self._open_exchange, self._changed)
        self._connections |= {connection}
        return connection

    def _open_exchange(self, headers: dict[str, str], reply: Reply) -> Exchange:
        record = StreamRecord(headers)
        script = self._planned.popleft() if self._planned else self.default
        if self.streams_max is not None and self.streams_open >= self.streams_max:
            script = replace(script, refuse=limit_exceeded())
        exchange = Exchange(record, script, self.account, reply, self._loop)
        self._end_same_session(headers.get("x-amzn-transcribe-session-id"))
        self.streams.append(record)
        self._exchanges.append(exchange)
        return exchange

    def _end_same_session(self, session_id: str | None) -> None:
        for other in self._exchanges:
            request = other.record.request
            if session_id is not None and request is not None and request.session_id == session_id:
                other.fail(conflict())

    def _changed(self) -> None:
        with self._changes:
            self._connections = frozenset(each for each in self._connections if not each.gone.is_set())
            self._changes.notify_all()


@contextmanager
def running_transcribe(folder: Path, *, token: str | None = None) -> Iterator[TranscribeServer]:
    """A running server, stopped at the end."""
    server = TranscribeServer(folder, token=token)
    with server.running():
        yield server

"""One HTTP/2 connection of a client, with its streams."""

import asyncio
from collections.abc import Callable, Sequence

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError

from tests.support.transcribe_service.exchange import Exchange, Reply

PATH = "/stream-transcription"
"""Path of StartStreamTranscription in the service model."""

OpenExchange = Callable[[dict[str, str], Reply], Exchange]
"""Creates the exchange of a request, from its headers."""


class Connection(asyncio.Protocol):
    """Carries exchanges over HTTP/2."""

    def __init__(self, open_exchange: OpenExchange, changed: Callable[[], None]) -> None:
        self._open_exchange = open_exchange
        self._changed = changed
        self._http = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._transport: asyncio.Transport | None = None
        self.gone = asyncio.Event()
        """Set once the client has disconnected."""
        self._exchanges: dict[int, Exchange] = {}
        self._replies: dict[int, StreamReply] = {}

    @property
    def is_open(self) -> bool:
        """Whether the client is connected."""
        return self._transport is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin HTTP/2 with a client that has connected."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(f"a stream is needed, not {transport}")
        self._transport = transport
        self._http.initiate_connection()
        self.flush()

    def data_received(self, data: bytes) -> None:
        """Process received bytes."""
        try:
            events = self._http.receive_data(data)
        except ProtocolError:
            self.flush()
            self.abort()
            return
        for event in events:
            self._handle(event)
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """End all exchanges: the client has disconnected."""
        self._transport = None
        self.gone.set()
        for exchange in self._exchanges.values():
            exchange.leave()
        self._exchanges.clear()
        self._replies.clear()
        self._changed()

    def abort(self) -> None:
        """Drop the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def flush(self) -> None:
        """Send pending data, as far as the client's flow-control windows allow."""
        for reply in list(self._replies.values()):
            if reply.push():
                del self._replies[reply.stream_id]
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(self._http.data_to_send())
        self._changed()

    def _handle(self, event: Event) -> None:
        if isinstance(event, RequestReceived) and event.stream_id is not None:
            self._begin(event.stream_id, {str(name): str(value) for name, value in event.headers or ()})
        elif isinstance(event, DataReceived) and event.stream_id is not None:
            if event.flow_controlled_length:
                self._http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if (exchange := self._exchanges.get(event.stream_id)) is not None:
                exchange.receive(event.data or b"")
        elif isinstance(event, StreamEnded | StreamReset) and event.stream_id is not None:
            self._end(event.stream_id, was_reset=isinstance(event, StreamReset))
        elif isinstance(event, ConnectionTerminated):
            self.abort()
        elif isinstance(event, WindowUpdated):
            pass  # the flush that follows uses it

    def _begin(self, stream_id: int, headers: dict[str, str]) -> None:
        reply = self._replies[stream_id] = StreamReply(self, self._http, stream_id)
        if (headers[":method"], headers[":path"]) != ("POST", PATH):
            reply.begin(404, [("x-amzn-errortype", "UnknownOperationException")])
            reply.end()
            return
        named = {name: value for name, value in headers.items() if not name.startswith(":")}
        named.setdefault("host", headers.get(":authority", ""))
        exchange = self._exchanges[stream_id] = self._open_exchange(named, reply)
        exchange.open()

    def _end(self, stream_id: int, *, was_reset: bool) -> None:
        exchange = self._exchanges.pop(stream_id, None)
        if was_reset:
            self._replies.pop(stream_id, None)
        if exchange is not None and was_reset:
            exchange.leave()
        elif exchange is not None:
            exchange.finish()


class StreamReply:
    """The response of one stream. Data beyond the client's window waits without a limit: a test has few results."""

    def __init__(self, connection: Connection, http: H2Connection, stream_id: int) -> None:
        self.stream_id = stream_id
        self._connection = connection
        self._http = http
        self._waiting = bytearray()
        self._ends = False

    def begin(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """Send the head of the response."""
        self._http.send_headers(self.stream_id, [(":status", str(status)), *headers])
        self._connection.flush()

    def send(self, data: bytes) -> None:
        """Send a part of the body."""
        self._waiting += data
        self._connection.flush()

    def end(self) -> None:
        """End the body."""
        self._ends = True
        self._connection.flush()

    def cut(self) -> None:
        """Drop the connection, and so all streams on it."""
        self._connection.abort()

    def push(self) -> bool:
        """Give HTTP/2 as much of the body as fits, and return whether the body has ended."""
        while self._waiting:
            room = min(self._http.local_flow_control_window(self.stream_id), self._http.max_outbound_frame_size)
            if room <= 0:
                return False
            self._http.send_data(self.stream_id, bytes(self._waiting[:room]))
            del self._waiting[:room]
        if self._ends:
            self._http.end_stream(self.stream_id)
        return self._ends

"""A server of the streaming protocol: HTTP/2 over TLS with a certificate of its own authority."""

import asyncio
import json
import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trustme
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
from h2.exceptions import StreamClosedError

from tests.support.transcribe.frames import encode
from tests.support.transcribe.script import STATUS, Fault, Script
from tests.support.transcribe.signing import BadSignature, check_request
from tests.support.transcribe.streams import ServerStream

PATH = "/stream-transcription"
READ_BYTES = 64 * 1024
PARAMETER = "x-amzn-transcribe-"


@dataclass(slots=True)
class TranscribeServer:
    """What tests tell it, and what it has seen."""

    authority: Path
    """The certificate to trust, in PEM."""
    port: int = 0
    scripts: deque[Script] = field(default_factory=deque)
    """For the next streams, one each."""
    streams: list[ServerStream] = field(default_factory=list)
    """All that were accepted."""
    refused: list[str] = field(default_factory=list)
    """Why others were not."""

    @property
    def url(self) -> str:
        """Where the SDK connects."""
        return f"https://localhost:{self.port}"

    def begin(self, headers: dict[str, str]) -> ServerStream | Fault:
        """Accept a stream, or not."""
        script = self.scripts.popleft() if self.scripts else Script()
        if script.refuse is not None:
            self.refused.append(script.refuse.name)
            return script.refuse
        try:
            chain = check_request(PATH, headers)
        except BadSignature as error:
            self.refused.append(str(error))
            return Fault("InvalidSignatureException", str(error))
        parameters = {
            name.removeprefix(PARAMETER): value for name, value in headers.items() if name.startswith(PARAMETER)
        }
        stream = ServerStream(chain, parameters, script)
        self.streams.append(stream)
        return stream


@asynccontextmanager
async def running_transcribe(folder: Path) -> AsyncIterator[TranscribeServer]:
    """A server on a free port of this machine, gone at the end with all its connections."""
    authority = trustme.CA()
    certificate = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2"])
    authority.issue_cert("localhost").configure_cert(context)
    told = TranscribeServer(certificate)
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            connections.add(task)
            task.add_done_callback(connections.discard)
        await _Connection(told, reader, writer).run()

    server = await asyncio.start_server(serve, "localhost", 0, ssl=context)
    told.port = server.sockets[0].getsockname()[1]
    try:
        yield told
    finally:
        server.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


class _Connection:
    def __init__(self, server: TranscribeServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._http = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._streams: dict[int, ServerStream] = {}
        self._waiting: dict[int, bytes] = {}
        self._ending: set[int] = set()

    async def run(self) -> None:
        self._http.initiate_connection()
        try:
            while True:
                self._writer.write(self._http.data_to_send())
                await self._writer.drain()
                data = await self._reader.read(READ_BYTES)
                if not data:
                    return
                for event in self._http.receive_data(data):
                    if not self._take(event):
                        return
        except (ConnectionError, asyncio.CancelledError):
            return  # the client has left, or the server ends: nobody awaits this task
        finally:
            self._writer.transport.abort()

    def _take(self, event: Event) -> bool:
        """Handle what the client did. False cuts the connection."""
        match event:
            case RequestReceived(stream_id=stream, headers=headers) if stream is not None:
                self._begin(stream, {str(name): str(value) for name, value in headers or ()})
            case DataReceived(stream_id=stream, data=data) if stream is not None:
                self._http.acknowledge_received_data(event.flow_controlled_length or 0, stream)
                if stream in self._streams:
                    return self._hear(stream, data or b"")
            case StreamEnded() | WindowUpdated():
                for waiting in list(self._waiting):
                    self._flush(waiting)
            case StreamReset(stream_id=stream) if stream is not None:
                self._streams.pop(stream, None)
            case ConnectionTerminated():
                return False
        return True

    def _begin(self, number: int, headers: dict[str, str]) -> None:
        begun = self._server.begin(headers)
        if isinstance(begun, Fault):
            self._refuse(number, begun)
            return
        self._streams[number] = begun
        echoed = [(f"{PARAMETER}{name}", value) for name, value in begun.parameters.items()]
        self._http.send_headers(
            number, [(":status", "200"), ("content-type", "application/vnd.amazon.eventstream"), *echoed]
        )

    def _refuse(self, number: int, fault: Fault) -> None:
        head = [(":status", str(STATUS[fault.name])), ("x-amzn-errortype", fault.name)]
        self._http.send_headers(number, [*head, ("content-type", "application/json")])
        self._waiting[number] = json.dumps({"Message": fault.message}).encode()
        self._ending.add(number)
        self._flush(number)

    def _hear(self, number: int, data: bytes) -> bool:
        stream = self._streams[number]
        for message in stream.hear(data):
            self._waiting[number] = self._waiting.get(number, b"") + encode(message)
        if stream.is_over:
            del self._streams[number]
            self._ending.add(number)
        self._flush(number)
        return not stream.is_cut

    def _flush(self, number: int) -> None:
        """Send what waits, as far as the client's window allows."""
        try:
            waiting = self._waiting.get(number, b"")
            while waiting and (room := self._room(number)) > 0:
                self._http.send_data(number, waiting[:room])
                waiting = waiting[room:]
            self._waiting[number] = waiting
            if not waiting:
                del self._waiting[number]
                if number in self._ending:
                    self._ending.discard(number)
                    self._http.end_stream(number)
        except StreamClosedError:
            self._waiting.pop(number, None)

    def _room(self, number: int) -> int:
        return min(self._http.local_flow_control_window(number), self._http.max_outbound_frame_size)

"""Uploads: recordings sent in pieces, going on where a broken connection left off."""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeAlias

import grpc

from tiro.transcription.v1 import upload_pb2
from tiro.transcription.v1.upload_service_pb2 import (
    CreateUploadRequest,
    DeleteUploadRequest,
    GetUploadRequest,
    WriteUploadRequest,
)
from tiro.transcription.v1.upload_service_pb2_grpc import UploadServiceStub
from tiro_client.calls.channel import Connection
from tiro_client.calls.error_details import from_status
from tiro_client.calls.retrying import Resumption, is_transient
from tiro_client.calls.status import CallStatus
from tiro_client.errors import TiroError, Unavailable
from tiro_client.timing import seconds_of
from tiro_client.uploads.source import UploadSource, open_source

MESSAGE_BYTES = 256 * 1024
"""Bytes a message."""
STALL_SECONDS_MAX = 30.0
"""How long a service may take no bytes before the connection counts as broken."""
FINISH_SECONDS_MAX = 600.0
"""How long storing the last bytes and probing the recording may take."""

ProgressCallback = Callable[[int, int], None]
"""Told the bytes sent and the bytes in all, after each message. The first goes back when an upload is resumed."""

_Call: TypeAlias = "grpc.aio.StreamUnaryCall[WriteUploadRequest, upload_pb2.Upload]"


@dataclass(frozen=True, slots=True)
class Upload:
    """A recording that has arrived."""

    name: str
    """`uploads/{id}`."""
    display_name: str
    size_bytes: int
    sha256: str
    """Lower-case hex."""
    container: str
    """FFmpeg's short name, as in `wav`."""
    codec: str
    """FFmpeg's name, as in `pcm_s16le`."""
    sample_rate_hertz: int
    channel_count: int
    audio_seconds: float

    @classmethod
    def from_proto(cls, upload: upload_pb2.Upload) -> Self:
        """The upload of a message."""
        return cls(
            name=upload.name,
            display_name=upload.display_name,
            size_bytes=upload.committed_size,
            sha256=upload.sha256,
            container=upload.audio.container,
            codec=upload.audio.codec,
            sample_rate_hertz=upload.audio.sample_rate_hertz,
            channel_count=upload.audio.channel_count,
            audio_seconds=seconds_of(upload.audio.duration),
        )


class Uploads:
    """Sends recordings."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = UploadServiceStub(connection.channel)

    async def upload(
        self, source: Path | bytes, *, display_name: str, request_id: str | None, progress: ProgressCallback | None
    ) -> Upload:
        """Send a recording, to its end, over as many connections as it takes."""
        async with open_source(source) as opened:
            resource = upload_pb2.Upload(display_name=display_name, size_bytes=opened.size_bytes)
            request = CreateUploadRequest(upload=resource, request_id=request_id or str(uuid.uuid4()))
            upload = await self._connection.call(self._stub.CreateUpload, request)
            return Upload.from_proto(await self._send(upload, opened, progress))

    async def delete(self, name: str) -> None:
        """Remove a recording."""
        await self._connection.call(self._stub.DeleteUpload, DeleteUploadRequest(name=name))

    async def _send(
        self, upload: upload_pb2.Upload, source: UploadSource, progress: ProgressCallback | None
    ) -> upload_pb2.Upload:
        resumption = Resumption()
        while upload.state == upload_pb2.Upload.STATE_OPEN:
            try:
                return await self._write(upload, source, progress)
            except TiroError as error:
                if not (is_transient(error) or error.reason == "WRITE_OFFSET_MISMATCH"):
                    raise
                before = upload.committed_size
                upload = await self._connection.call(self._stub.GetUpload, GetUploadRequest(name=upload.name))
                await resumption.pause(error, progressed=upload.committed_size > before)
        if upload.state == upload_pb2.Upload.STATE_FAILED:
            raise from_status(upload.error)
        return upload

    async def _write(
        self, upload: upload_pb2.Upload, source: UploadSource, progress: ProgressCallback | None
    ) -> upload_pb2.Upload:
        """One connection's try at sending everything from the committed size on."""
        call = self._stub.WriteUpload(metadata=self._connection.metadata)
        status = CallStatus(call)
        offset = upload.committed_size
        try:
            while data := await source.read(offset, MESSAGE_BYTES):
                await _write_message(call, WriteUploadRequest(name=upload.name, write_offset=offset, data=data))
                offset += len(data)
                if progress is not None:
                    progress(offset, source.size_bytes)
            last = WriteUploadRequest(
                name=upload.name, write_offset=offset, finish_write=True, sha256=await source.sha256()
            )
            await _write_message(call, last)
            return await _finish(call, status)
        except _AnsweredEarly:
            # The service does not take the rest; its answer says why.
            return await _finish(call, status)
        finally:
            call.cancel()


class _AnsweredEarly(Exception):  # noqa: N818 - not an error: the call has its answer
    """The call has ended; nothing more can be written to it."""


async def _write_message(call: _Call, message: WriteUploadRequest) -> None:
    try:
        async with asyncio.timeout(STALL_SECONDS_MAX):
            await call.write(message)
    except TimeoutError:
        raise Unavailable(f"the service took no bytes for {STALL_SECONDS_MAX:.0f} s") from None
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        raise _AnsweredEarly from None


async def _finish(call: _Call, status: CallStatus) -> upload_pb2.Upload:
    try:
        async with asyncio.timeout(FINISH_SECONDS_MAX):
            await call.done_writing()
            return await call
    except TimeoutError:
        raise Unavailable(f"the service did not finish the upload within {FINISH_SECONDS_MAX:.0f} s") from None
    except grpc.aio.AioRpcError as seen:
        # An answer that is lost can be looked up, as after a broken connection.
        raise await status.explain(seen) or Unavailable("the service's answer was lost") from seen

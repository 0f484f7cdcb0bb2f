"""The calls of the upload service."""

import asyncio
import uuid
from pathlib import Path
from typing import BinaryIO, TypeAlias

import grpc

from tiro.transcription.v1 import upload_pb2
from tiro.transcription.v1.upload_service_pb2 import (
    CreateUploadRequest,
    DeleteUploadRequest,
    GetUploadRequest,
    WriteUploadRequest,
)
from tiro.transcription.v1.upload_service_pb2_grpc import UploadServiceStub
from tiro_client.calls.connection import Connection
from tiro_client.calls.ending import end_call
from tiro_client.calls.error_details import from_status
from tiro_client.calls.retrying import STREAM_ATTEMPTS_MAX, Backoff, is_transient
from tiro_client.calls.status import CallStatus
from tiro_client.errors import TiroError, Unavailable
from tiro_client.uploads.upload import ProgressCallback, Upload
from tiro_client.uploads.upload_source import UploadSource, open_source

MESSAGE_BYTES = 256 * 1024
"""Bytes per message."""
STALL_SECONDS_MAX = 30.0
"""How long the service may accept no bytes before the connection counts as lost."""
FINISH_SECONDS_MAX = 600.0
"""How long the service may take to store the last bytes and probe the recording."""

_Call: TypeAlias = "grpc.aio.StreamUnaryCall[WriteUploadRequest, upload_pb2.Upload]"


class UploadClient:
    """Calls about the uploads of the caller's tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = UploadServiceStub(connection.channel)

    async def upload(
        self,
        source: Path | bytes | BinaryIO,
        *,
        display_name: str,
        request_id: str | None,
        progress: ProgressCallback | None,
    ) -> Upload:
        """Send a whole recording. A lost connection is replaced."""
        async with open_source(source) as opened:
            resource = upload_pb2.Upload(display_name=display_name, size_bytes=opened.size_bytes)
            request = CreateUploadRequest(upload=resource, request_id=request_id or str(uuid.uuid4()))
            upload = await self._connection.call(self._stub.CreateUpload, request)
            return Upload.from_proto(await self._send(upload, opened, progress))

    async def delete(self, name: str) -> None:
        """Delete a recording."""
        await self._connection.call(self._stub.DeleteUpload, DeleteUploadRequest(name=name))

    async def _send(
        self, upload: upload_pb2.Upload, source: UploadSource, progress: ProgressCallback | None
    ) -> upload_pb2.Upload:
        backoff = Backoff(STREAM_ATTEMPTS_MAX)
        while upload.state == upload_pb2.Upload.STATE_OPEN:
            try:
                return await self._write(upload, source, progress)
            except TiroError as error:
                if not (is_transient(error) or error.reason == "WRITE_OFFSET_MISMATCH"):
                    raise
                before = upload.committed_size
                request = GetUploadRequest(name=upload.name)
                # The upload's own limits: the service that broke the connection may be away for a while.
                upload = await self._connection.call(self._stub.GetUpload, request, backoff=backoff)
                await backoff.wait(error, progressed=upload.committed_size > before)
        if upload.state == upload_pb2.Upload.STATE_FAILED:
            raise from_status(upload.error)
        return upload

    async def _write(
        self, upload: upload_pb2.Upload, source: UploadSource, progress: ProgressCallback | None
    ) -> upload_pb2.Upload:
        """Try once, over one call, to send everything from the committed size on."""
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
            # The service does not accept the rest. Its answer gives the reason.
            return await _finish(call, status)
        finally:
            await end_call(call)


class _AnsweredEarly(Exception):  # noqa: N818 - not an error: the call has its answer
    """The call has ended, so that nothing more can be written to it."""


async def _write_message(call: _Call, message: WriteUploadRequest) -> None:
    try:
        async with asyncio.timeout(STALL_SECONDS_MAX):
            await call.write(message)
    except TimeoutError:
        raise Unavailable(f"the service accepted no bytes for {STALL_SECONDS_MAX:.0f} s") from None
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
        # A lost answer can be looked up, as after a lost connection.
        raise await status.explain(seen) or Unavailable("the service's answer was lost") from seen

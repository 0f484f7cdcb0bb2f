"""One call of WriteUpload: from its first message to the answer."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import grpc
import structlog

from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.transcription.v1.upload_service_pb2 import WriteUploadRequest
from tiro_core.errors import TiroError, invalid_argument
from tiro_core.server.interruptible import until_stopping
from tiro_ingest.resources.names import upload_id
from tiro_ingest.uploads.intake import UploadIntake
from tiro_ingest.uploads.storage_guard import StorageGuard
from tiro_ingest.uploads.store import Uploads
from tiro_ingest.uploads.writer import UploadWriter

GUARD_BYTES = 16 * 1024 * 1024
"""The bytes that a call may write between two checks of the store's free space."""


class UploadReceiver:
    """Receives the bytes that callers write.

    Args:
        uploads: The uploads' records.
        intake: Stores and verifies the bytes.
        guard: Checks the free space of the store.
        stopping: Set when the service stops: calls end, and their callers continue with another service.
        idle_seconds: How long a caller may send nothing.
    """

    def __init__(
        self,
        uploads: Uploads,
        intake: UploadIntake,
        guard: StorageGuard,
        stopping: asyncio.Event,
        *,
        idle_seconds: float,
    ) -> None:
        self._uploads = uploads
        self._intake = intake
        self._guard = guard
        self._stopping = stopping
        self._idle_seconds = idle_seconds

    async def receive(self, tenant: str, requests: AsyncIterator[WriteUploadRequest]) -> UploadRecord:
        """Store the bytes of a call, and finish the upload where the last message asks for that.

        Raises:
            TiroError: The call or its bytes are refused, or the service cannot store them.
        """
        async with aclosing(self._messages(requests)) as messages:
            first = await _first(messages)
            structlog.contextvars.bind_contextvars(upload=upload_id(first.name))
            await self._guard.require(len(first.data))
            record = await self._uploads.begin_writing(tenant, upload_id(first.name), first.write_offset)
            async with self._intake.open_writer(record) as writer:
                last = await self._write(writer, first, messages)
                if last is not None:
                    return await self._intake.verify(writer, last.sha256)
            return writer.record

    async def _write(
        self, writer: UploadWriter, first: WriteUploadRequest, messages: AsyncIterator[WriteUploadRequest]
    ) -> WriteUploadRequest | None:
        """Write every message's bytes. Returns the message that finishes the upload, if one does."""
        message: WriteUploadRequest | None = first
        unguarded = 0
        while message is not None:
            await writer.write(message.data)
            if message.finish_write:
                await writer.finish()
                return message
            unguarded += len(message.data)
            if unguarded >= GUARD_BYTES:
                await self._guard.require(GUARD_BYTES)
                unguarded = 0
            message = await anext(messages, None)
        return None

    async def _messages(self, requests: AsyncIterator[WriteUploadRequest]) -> AsyncGenerator[WriteUploadRequest, None]:
        async with aclosing(until_stopping(requests, self._stopping, silence_seconds=self._idle_seconds)) as messages:
            async for message in messages:
                if message is None:
                    raise TiroError(
                        grpc.StatusCode.ABORTED,
                        reasons.ERROR_REASON_SESSION_IDLE,
                        f"no data came for {self._idle_seconds:g} s; the upload can continue at its committed size",
                    )
                yield message


async def _first(messages: AsyncIterator[WriteUploadRequest]) -> WriteUploadRequest:
    first = await anext(messages, None)
    if first is None or not first.name:
        raise invalid_argument(
            reasons.ERROR_REASON_INVALID_REQUEST, "the first message must name the upload", field_path="name"
        )
    return first

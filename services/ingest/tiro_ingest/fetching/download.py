"""Downloading one recording into its upload. An interrupted download is tried again, and continues where it ended."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import grpc
from aiohttp import ClientError, ClientSession

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.transcription.v1.upload_pb2 import Upload
from tiro_core.blobs.errors import storage_unavailable
from tiro_core.blobs.interface import StorageUnavailable
from tiro_core.errors import TiroError, from_status
from tiro_core.logs.logger import get_logger
from tiro_engines.backoff import backoff
from tiro_ingest.fetching.sources import HttpSource, OpenedSource, S3Source, Source, TransientFetchError
from tiro_ingest.settings import IngestSettings
from tiro_ingest.uploads.intake import UploadIntake
from tiro_ingest.uploads.store import Uploads
from tiro_ingest.uploads.writer import UploadWriter, too_large

PROGRESS_SECONDS = 0.5
"""The time between two reports of the downloaded size."""
RATE_BYTES_MIN = 1024
"""Bytes a second that a host must send at least, over `fetch_stall_seconds`."""
BACKOFF_SECONDS = 1.0
"""The wait before the second try. It is doubled before each further one; half of it is random."""
BACKOFF_SECONDS_MAX = 60.0
STORAGE_REASONS = (reasons.ERROR_REASON_STORAGE_FULL, reasons.ERROR_REASON_STORAGE_UNAVAILABLE)
"""Temporary faults of the store, which are not the host's."""

Progress = Callable[[int], Awaitable[None]]
"""Called with the number of bytes of the recording that are stored."""

log = get_logger()


class Downloader:
    """Downloads recordings for one ingest service."""

    def __init__(
        self,
        settings: IngestSettings,
        session: ClientSession,
        *,
        uploads: Uploads,
        intake: UploadIntake,
    ) -> None:
        self.settings = settings
        self.session = session
        self.uploads = uploads
        self.intake = intake

    def source(self, uri: str) -> Source:
        """The source of a recording."""
        return S3Source(self.settings, uri) if uri.startswith("s3://") else HttpSource(self.session, uri)


class Download:
    """The download of one job's recording.

    Attributes:
        size: The number of bytes written.
    """

    def __init__(self, downloader: Downloader, job: TranscriptionRecord, progress: Progress) -> None:
        self._downloader = downloader
        self._settings = downloader.settings
        self._uploads = downloader.uploads
        self._job = job
        self._progress = progress
        self._tag = ""
        """The tag that identifies the same bytes at the next try."""
        self.size = 0

    async def run(self) -> UploadRecord:
        """Download, store and verify. An upload that is finished already is returned as it is.

        Raises:
            TiroError: The recording cannot be fetched; the error says why.
            BusUnavailable: NATS did not answer.
        """
        job = self._job
        upload = await self._uploads.create(
            job.tenant, job.upload_id, display_name=job.display_name, size_bytes=0, needs_job=True
        )
        if upload.state == Upload.STATE_READY:
            return upload
        if upload.state == Upload.STATE_FAILED:
            raise from_status(upload.error)
        source = self._downloader.source(job.uri)
        attempt = 1
        while True:
            try:
                return await self._try(source)
            except TiroError as error:
                may_pass = isinstance(error, TransientFetchError) or error.reason in STORAGE_REASONS
                if not may_pass or attempt >= self._settings.fetch_attempts_max:
                    raise
                log.info("fetch_tried", attempt=attempt, error=str(error))
                delay = backoff(attempt, first_seconds=BACKOFF_SECONDS, seconds_max=BACKOFF_SECONDS_MAX)
                asked = error.wait_seconds if isinstance(error, TransientFetchError) else 0.0
                await asyncio.sleep(max(asked, delay))
                attempt += 1

    async def _try(self, source: Source) -> UploadRecord:
        try:
            return await self._store_all(source)
        except StorageUnavailable as error:
            raise storage_unavailable() from error

    async def _store_all(self, source: Source) -> UploadRecord:
        intake = self._downloader.intake
        upload = await self._uploads.begin_writing(self._job.tenant, self._job.upload_id, None)
        async with intake.open_writer(upload) as writer:
            async with source.open(upload.committed_size, self._tag) as opened:
                if opened.size is not None and opened.size > intake.bytes_max:
                    raise too_large(intake.bytes_max)
                if opened.offset != upload.committed_size:
                    await writer.rewind(opened.offset)
                self._tag = opened.tag
                await self._copy(opened, writer)
                await writer.finish()
            return await intake.verify(writer)

    async def _copy(self, opened: OpenedSource, writer: UploadWriter) -> None:
        stall = self._settings.fetch_stall_seconds
        begun, received, reported = time.monotonic(), 0, 0.0
        while (chunk := await self._next(opened)) is not None:
            received += len(chunk)
            await writer.write(chunk)
            self.size = writer.size
            now = time.monotonic()
            if now - begun >= stall:
                if received < RATE_BYTES_MIN * (now - begun):
                    raise _stalled(f"the host sends less than {RATE_BYTES_MIN} bytes a second")
                begun, received = now, 0
            if now - reported >= PROGRESS_SECONDS:
                await self._progress(writer.size)
                reported = now
        if opened.size is not None and writer.size != opened.size:
            raise _cut_off(f"the host announced {opened.size} bytes and sent {writer.size}")

    async def _next(self, opened: OpenedSource) -> bytes | None:
        """The next bytes. None at the end."""
        stall = self._settings.fetch_stall_seconds
        try:
            async with asyncio.timeout(stall):
                return await anext(opened.chunks, None)
        except TimeoutError:
            raise _stalled(f"the host sent nothing for {stall:g} s") from None
        except (ClientError, OSError) as error:
            raise _cut_off("the connection was lost before the end") from error


def _stalled(message: str) -> TransientFetchError:
    return TransientFetchError(grpc.StatusCode.FAILED_PRECONDITION, reasons.ERROR_REASON_URI_STALLED, message)


def _cut_off(message: str) -> TransientFetchError:
    return TransientFetchError(grpc.StatusCode.FAILED_PRECONDITION, reasons.ERROR_REASON_URI_LENGTH_MISMATCH, message)

"""Verifying an upload: its size and digest are compared with the announced ones, and its audio is probed."""

import asyncio
import errno
from contextlib import aclosing
from datetime import timedelta
from typing import IO

import grpc

from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.audio_pb2 import AudioInfo, AudioTrack
from tiro_core.audio import report
from tiro_core.audio.errors import AudioError
from tiro_core.audio.launcher import MediaLauncher
from tiro_core.audio.limits import DecodeLimits
from tiro_core.audio.probe import probe
from tiro_core.blobs.interface import BlobStore, PartMissing
from tiro_core.blobs.keys import upload_key
from tiro_core.blobs.reader import read_parts
from tiro_core.clock import duration
from tiro_core.errors import reason_from_name, resource_exhausted
from tiro_core.logs.logger import get_logger
from tiro_ingest.metrics import UPLOADS_READ_BACK
from tiro_ingest.uploads.spool import UploadSpool
from tiro_ingest.uploads.store import UploadRefused, Uploads

SPOOL_FULL_RETRY_AFTER = timedelta(seconds=60)

log = get_logger()


class UploadVerifier:
    """Finishes uploads, a few at once.

    The spool of an upload that came in one call has its bytes and their digest. Only an upload that was resumed, or
    whose spool was dropped, is read back from the store, into a spool that may be as large as the largest upload.

    Args:
        uploads: The uploads, whose records get the outcome.
        blobs: The store of their bytes.
        launcher: Starts the processes that probe.
        limits: Limits of the probing process, and of the duration of a recording.
        at_once_max: The most uploads that are verified at the same time; the others wait.
    """

    def __init__(
        self, uploads: Uploads, blobs: BlobStore, launcher: MediaLauncher, *, limits: DecodeLimits, at_once_max: int
    ) -> None:
        self._uploads = uploads
        self._blobs = blobs
        self._launcher = launcher
        self._limits = limits
        self._slots = asyncio.Semaphore(at_once_max)

    async def verify(self, writer: UploadRecord, size: int, announced_sha256: str, spool: UploadSpool) -> UploadRecord:
        """Make an upload READY.

        Args:
            writer: The record as its writer last wrote it.
            size: The number of bytes written.
            announced_sha256: The digest that the caller announced; empty when it announced none.
            spool: The spool of its writer.

        Raises:
            UploadRefused: The bytes are not what was announced, or not a recording that is accepted.
            TiroError: The upload was deleted, another call writes to it, or the local disk is full.
        """
        if writer.size_bytes not in (0, size):
            raise _mismatch(f"the upload was announced with {writer.size_bytes} bytes and has {size}")
        async with self._slots:
            try:
                if not spool.holds(size):
                    await self._read_back(writer, size, spool)
                if announced_sha256 not in ("", spool.sha256):
                    raise _mismatch(
                        f"the upload was announced with the SHA-256 {announced_sha256} and has {spool.sha256}"
                    )
                audio = await self._probe(spool.file, writer.display_name)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                raise resource_exhausted(
                    reasons.ERROR_REASON_STORAGE_FULL,
                    "the service has no disk space to check the recording now",
                    retry_after=SPOOL_FULL_RETRY_AFTER,
                ) from error
        return await self._uploads.make_ready(writer, size, spool.sha256, audio)

    async def _read_back(self, writer: UploadRecord, size: int, spool: UploadSpool) -> None:
        UPLOADS_READ_BACK.inc()
        log.info("upload_read_back", size_bytes=size)
        key = upload_key(writer.tenant, writer.upload_id)
        try:
            async with aclosing(read_parts(self._blobs, key, size)) as parts:
                await spool.refill(parts)
        except PartMissing:
            await self._uploads.require_writer(writer)  # a deleted upload has no parts
            raise

    async def _probe(self, file: IO[bytes], file_name: str) -> AudioInfo:
        try:
            found = await probe(self._launcher, file, limits=self._limits, file_name=file_name)
        except AudioError as error:
            reason = reason_from_name(error.reason)
            raise UploadRefused(grpc.StatusCode.INVALID_ARGUMENT, reason, str(error)) from error
        return AudioInfo(
            container=found.container,
            codec=found.codec,
            sample_rate_hertz=found.sample_rate_hz,
            channel_count=found.channels,
            duration=duration(found.duration_seconds),
            tracks=[_track(track) for track in found.tracks],
            track=found.track,
        )


def _track(found: report.AudioTrack) -> AudioTrack:
    return AudioTrack(
        number=found.number,
        codec=found.codec,
        channel_count=found.channels,
        duration=None if found.duration_seconds is None else duration(found.duration_seconds),
        language_code=found.language,
        title=found.title,
        decodable=found.decodable,
        speech_seconds=found.speech_seconds,
    )


def _mismatch(message: str) -> UploadRefused:
    return UploadRefused(grpc.StatusCode.INVALID_ARGUMENT, reasons.ERROR_REASON_UPLOAD_MISMATCH, message)

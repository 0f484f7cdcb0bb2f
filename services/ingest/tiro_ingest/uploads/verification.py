"""The end of an upload: its bytes are read back, hashed, compared with what was announced, and probed."""

import asyncio
import errno
import hashlib
import tempfile
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import IO

import grpc

from tiro.events.v1.upload_pb2 import UploadRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.audio_pb2 import AudioInfo
from tiro_core.audio.errors import AudioError
from tiro_core.audio.launcher import MediaLauncher
from tiro_core.audio.limits import DecodeLimits
from tiro_core.audio.probe import probe
from tiro_core.blobs.interface import BlobStore
from tiro_core.blobs.keys import upload_key
from tiro_core.blobs.reader import read_parts
from tiro_core.clock import duration
from tiro_core.errors import reason_from_name, resource_exhausted
from tiro_ingest.uploads.store import UploadRefused, Uploads

SPOOL_FULL_RETRY_AFTER = timedelta(seconds=60)


class UploadVerifier:
    """Finishes uploads, a few at once: each has its recording on the local disk for a while.

    Args:
        uploads: Where the outcome is written.
        blobs: Where the bytes are.
        launcher: Starts the processes that probe.
        limits: What probing may cost, and how long a recording may be.
        spool_dir: Where a recording lies while it is probed; None for the system's folder.
        at_once_max: How many are finished at the same time; the others wait.
    """

    def __init__(
        self,
        uploads: Uploads,
        blobs: BlobStore,
        launcher: MediaLauncher,
        *,
        limits: DecodeLimits,
        spool_dir: Path | None,
        at_once_max: int,
    ) -> None:
        self._uploads = uploads
        self._blobs = blobs
        self._launcher = launcher
        self._limits = limits
        self._spool_dir = spool_dir
        self._places = asyncio.Semaphore(at_once_max)

    async def finish(self, writer: UploadRecord, size: int, announced_sha256: str) -> UploadRecord:
        """Make an upload READY.

        Args:
            writer: The record as its writer last knew it.
            size: How many bytes were written.
            announced_sha256: What the caller says the digest is; empty when it does not.

        Raises:
            UploadRefused: The bytes are not what was announced, or not a recording that is taken.
            TiroError: Another call writes to the upload, or there is no room on the local disk.
        """
        if writer.size_bytes not in (0, size):
            raise _mismatch(f"the upload was announced with {writer.size_bytes} bytes and has {size}")
        async with self._places:
            try:
                with tempfile.TemporaryFile(dir=self._spool_dir, buffering=0) as spool:
                    sha256 = await self._read_back(writer, size, spool)
                    if announced_sha256 not in ("", sha256):
                        raise _mismatch(
                            f"the upload was announced with the SHA-256 {announced_sha256} and has {sha256}"
                        )
                    audio = await self._probe(spool)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                raise resource_exhausted(
                    reasons.ERROR_REASON_STORAGE_FULL,
                    "there is no room to check the recording now",
                    retry_after=SPOOL_FULL_RETRY_AFTER,
                ) from error
        return await self._uploads.make_ready(writer, size, sha256, audio)

    async def _read_back(self, writer: UploadRecord, size: int, spool: IO[bytes]) -> str:
        digest = hashlib.sha256()

        def take(part: bytes) -> None:
            digest.update(part)
            spool.write(part)

        key = upload_key(writer.tenant, writer.upload_id)
        async with aclosing(read_parts(self._blobs, key, size)) as parts:
            async for part in parts:
                await asyncio.to_thread(take, part)
        return digest.hexdigest()

    async def _probe(self, spool: IO[bytes]) -> AudioInfo:
        try:
            found = await probe(self._launcher, spool, limits=self._limits)
        except AudioError as error:
            reason = reason_from_name(error.reason)
            raise UploadRefused(grpc.StatusCode.INVALID_ARGUMENT, reason, str(error)) from error
        return AudioInfo(
            container=found.container,
            codec=found.codec,
            sample_rate_hertz=found.sample_rate_hz,
            channel_count=found.channels,
            duration=duration(found.duration_seconds),
        )


def _mismatch(message: str) -> UploadRefused:
    return UploadRefused(grpc.StatusCode.INVALID_ARGUMENT, reasons.ERROR_REASON_UPLOAD_MISMATCH, message)

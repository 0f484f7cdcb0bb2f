"""Turns a recording, wherever it is, into a job."""

import asyncio
import errno
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_client.jobs.job import Job
from tiro_client.jobs.job_client import JobClient
from tiro_client.jobs.job_options import JobOptions
from tiro_client.recognition import Recognition
from tiro_client.uploads.upload import ProgressCallback, Upload
from tiro_client.uploads.upload_client import UploadClient

INLINE_BYTES_MAX = 1024 * 1024
"""A file up to this size travels in the request that creates its job. A larger one is uploaded."""
CONTENT_BYTES_MAX = 2 * 1024 * 1024
"""The contract's limit on audio in the request. It applies to files that cannot be uploaded, such as named pipes."""
DISPLAY_NAME_MAX = 255
"""Characters of a display name that the contract allows."""
_URI = re.compile(r"(https?|s3)://.*", re.DOTALL | re.IGNORECASE)
_UPLOAD_NAME = re.compile(r"uploads/[0-9a-f-]{36}")

Source = str | Path | bytes | Upload
"""A file, bytes, an upload, the name of one (`uploads/{id}`), or a URI from which the service fetches the recording."""


def display_name_of(source: Source) -> str:
    """The display name of a recording for which the caller gives none: its file's name."""
    if isinstance(source, Upload):
        return source.display_name
    if isinstance(source, bytes) or _is_upload_name(source):
        return ""
    if is_uri(source):
        return Path(re.split(r"[?#]", str(source))[0]).name[:DISPLAY_NAME_MAX]
    return Path(source).name[:DISPLAY_NAME_MAX]


@dataclass(frozen=True, slots=True)
class Submission:
    """A job to be created."""

    source: Source
    recognition: Recognition
    options: JobOptions
    display_name: str
    request_id: str | None
    progress: ProgressCallback | None

    async def create(self, uploads: UploadClient, jobs: JobClient) -> Job:
        """Send the recording, within the request if it is small, and create the job.

        Raises:
            OSError: The file cannot be read.
            TiroError: The service refused it.
        """
        transcription = Transcription(display_name=self.display_name, config=self.recognition.recognition_config())
        self.options.write_to(transcription)
        match self.source:
            case Upload(name=name):
                transcription.upload = name
            case str() as name if _is_upload_name(name):
                transcription.upload = name
            case str() as uri if is_uri(uri):
                transcription.uri = uri
            case bytes() as content if len(content) <= INLINE_BYTES_MAX:
                transcription.content = content
            case bytes() as content:
                transcription.upload = await self._send(uploads, content)
            case str() | Path() as file:
                await self._add_file(transcription, uploads, Path(file))
        return await jobs.create(transcription, self.request_id)

    async def _add_file(self, transcription: Transcription, uploads: UploadClient, path: Path) -> None:
        content = await asyncio.to_thread(_read_inline, path)
        if content is None:
            transcription.upload = await self._send(uploads, path)
        else:
            transcription.content = content

    async def _send(self, uploads: UploadClient, content: Path | bytes) -> str:
        upload = await uploads.upload(
            content, display_name=self.display_name, request_id=self.request_id, progress=self.progress
        )
        return upload.name


def _read_inline(path: Path) -> bytes | None:
    """The content of a file that is small enough for the request. None for one that has to be uploaded.

    Raises:
        OSError: The file cannot be read. EFBIG: it is too large for the request, and cannot be uploaded, because an
            upload reads a file again after a lost connection, and needs its size.
    """
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        is_regular = stat.S_ISREG(status.st_mode)
        if is_regular and status.st_size > INLINE_BYTES_MAX:
            return None
        limit = INLINE_BYTES_MAX if is_regular else CONTENT_BYTES_MAX
        content = file.read(limit + 1)
    if len(content) <= limit:
        return content
    if is_regular:
        return None
    raise OSError(errno.EFBIG, f"not a regular file, so limited to {CONTENT_BYTES_MAX // 1024**2} MiB", str(path))


def is_uri(source: str | Path) -> bool:
    """Whether a source is a URI, which the service fetches."""
    return isinstance(source, str) and _URI.fullmatch(source) is not None


def _is_upload_name(source: str | Path) -> bool:
    return isinstance(source, str) and _UPLOAD_NAME.fullmatch(source) is not None

"""Turns a recording, wherever it is, into a job."""

import errno
import os
import re
import stat
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_client.jobs.job import Job
from tiro_client.jobs.job_client import JobClient
from tiro_client.jobs.job_options import JobOptions
from tiro_client.recognition import Recognition
from tiro_client.threads import in_daemon_thread
from tiro_client.uploads.upload import ProgressCallback, Upload
from tiro_client.uploads.upload_client import UploadClient

INLINE_BYTES_MAX = 1024 * 1024
"""A file up to this size travels in the request that creates its job. A larger one is uploaded."""
PIPE_BYTES_MAX = 8 * 1024**3
"""The most bytes that are read from a pipe, into a temporary file."""
PIPE_READ_BYTES = 1024 * 1024
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
    name = Path(re.split(r"[?#]", str(source))[0] if is_uri(source) else source).name
    # A file's name may be any bytes; the contract's texts are UTF-8.
    return os.fsencode(name).decode("utf-8", "replace")[:DISPLAY_NAME_MAX]


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
        content = await in_daemon_thread(lambda: _content_of(path))  # a pipe may be silent
        if isinstance(content, bytes):
            transcription.content = content
        else:
            with content:
                transcription.upload = await self._send(uploads, content)

    async def _send(self, uploads: UploadClient, content: bytes | BinaryIO) -> str:
        upload = await uploads.upload(
            content, display_name=self.display_name, request_id=self.request_id, progress=self.progress
        )
        return upload.name


def _content_of(path: Path) -> bytes | BinaryIO:
    """The content of a file that is small enough for the request, or else the open file, which has to be uploaded.

    Raises:
        OSError: The file cannot be read. EFBIG: a pipe has more than `PIPE_BYTES_MAX`.
    """
    file = path.open("rb")
    try:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return _content_of_pipe(file, path)
        content = file.read(INLINE_BYTES_MAX + 1)
    except BaseException:
        file.close()
        raise
    if len(content) > INLINE_BYTES_MAX:
        return file
    file.close()
    return content


def _content_of_pipe(pipe: BinaryIO, path: Path) -> bytes | BinaryIO:
    """The content of a pipe, or a temporary file with it: an upload reads again what a lost connection has not sent.

    Raises:
        OSError: EFBIG: the pipe has more than `PIPE_BYTES_MAX`. Or the temporary file cannot be written.
    """
    with pipe:
        content = pipe.read(INLINE_BYTES_MAX + 1)
        if len(content) <= INLINE_BYTES_MAX:
            return content
        with ExitStack() as failing:
            copy = failing.enter_context(tempfile.TemporaryFile())
            while content:
                copy.write(content)
                if copy.tell() > PIPE_BYTES_MAX:
                    raise OSError(errno.EFBIG, f"more than {PIPE_BYTES_MAX // 1024**3} GiB from a pipe", str(path))
                content = pipe.read(PIPE_READ_BYTES)
            failing.pop_all()
            return copy


def is_uri(source: str | Path) -> bool:
    """Whether a source is a URI, which the service fetches."""
    return isinstance(source, str) and _URI.fullmatch(source) is not None


def _is_upload_name(source: str | Path) -> bool:
    return isinstance(source, str) and _UPLOAD_NAME.fullmatch(source) is not None

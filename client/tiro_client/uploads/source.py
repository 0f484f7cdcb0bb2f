"""The bytes of an upload: read from any offset, digested once each, in order."""

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO


class UploadSource:
    """A recording that is being sent.

    Args:
        file: An open file that can seek.
        size_bytes: Its size.
    """

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._digested = 0
        self.size_bytes = size_bytes

    async def read(self, offset: int, size_max: int) -> bytes:
        """At most `size_max` bytes from `offset`, none at the end. A disk may be slow: a thread reads."""
        return await asyncio.to_thread(self._read, offset, size_max)

    async def sha256(self) -> str:
        """The digest of everything, lower-case hex. Reads what was not read yet."""
        while await self.read(self._digested, io.DEFAULT_BUFFER_SIZE):
            pass
        return self._digest.hexdigest()

    def _read(self, offset: int, size_max: int) -> bytes:
        self._file.seek(offset)
        data = self._file.read(size_max)
        # A resumed upload reads again what was lost: that is in the digest already.
        if offset <= self._digested < offset + len(data):
            self._digest.update(data[self._digested - offset :])
            self._digested = offset + len(data)
        return data


@asynccontextmanager
async def open_source(source: Path | bytes) -> AsyncIterator[UploadSource]:
    """A file or bytes as something to upload.

    Raises:
        OSError: The file cannot be opened.
    """
    if isinstance(source, bytes):
        yield UploadSource(io.BytesIO(source), len(source))
        return
    file = await asyncio.to_thread(source.open, "rb")
    try:
        yield UploadSource(file, (await asyncio.to_thread(source.stat)).st_size)
    finally:
        file.close()

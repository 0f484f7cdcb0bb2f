"""The bytes of an upload: read from any offset, each digested once, in order."""

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO


class UploadSource:
    """A recording that is being uploaded.

    Args:
        file: An open, seekable file.
        size_bytes: Its size in bytes.
    """

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._digested = 0
        self.size_bytes = size_bytes

    async def read(self, offset: int, size_max: int) -> bytes:
        """At most `size_max` bytes from `offset`; none at the end. Read in a thread, because a disk may be slow."""
        return await asyncio.to_thread(self._read, offset, size_max)

    async def sha256(self) -> str:
        """The digest of the whole file, lower-case hex. Bytes that were not read yet are read."""
        while await self.read(self._digested, io.DEFAULT_BUFFER_SIZE):
            pass
        return self._digest.hexdigest()

    def _read(self, offset: int, size_max: int) -> bytes:
        self._file.seek(offset)
        data = self._file.read(size_max)
        # A resumed upload reads some bytes again: they are in the digest already.
        if offset <= self._digested < offset + len(data):
            self._digest.update(data[self._digested - offset :])
            self._digested = offset + len(data)
        return data


@asynccontextmanager
async def open_source(source: Path | bytes | BinaryIO) -> AsyncIterator[UploadSource]:
    """A file, or bytes, to upload. An open file stays open.

    Raises:
        OSError: The file cannot be opened.
    """
    if isinstance(source, bytes):
        yield UploadSource(io.BytesIO(source), len(source))
        return
    if not isinstance(source, Path):
        yield UploadSource(source, await asyncio.to_thread(source.seek, 0, io.SEEK_END))
        return
    file = await asyncio.to_thread(source.open, "rb")
    try:
        yield UploadSource(file, (await asyncio.to_thread(source.stat)).st_size)
    finally:
        file.close()

"""The spool: the bytes of an upload on the local disk, so that it is verified without reading it back."""

import asyncio
import hashlib
import tempfile
import threading
from collections.abc import AsyncIterable
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tiro_core.logs.logger import get_logger

log = get_logger()


class SpoolSpace:
    """The space for all spools of a service on the local disk.

    Args:
        folder: The folder of spools; None for the system's folder of temporary files.
        bytes_max: The most bytes in all spools of uploads that are being received. Spools that are read back from the
            store are not counted: the verifier limits their number.
    """

    def __init__(self, folder: Path | None, bytes_max: int) -> None:
        self.folder = folder
        self._bytes_max = bytes_max
        self._taken = 0

    def take(self, size: int) -> bool:
        """Reserve space. Returns whether there was enough."""
        if self._taken + size > self._bytes_max:
            return False
        self._taken += size
        return True

    def give_back(self, size: int) -> None:
        """Release reserved space."""
        self._taken -= size


class UploadSpool:
    """The bytes of one upload, from its start, and their digest.

    The file has no name, so it is deleted when the process ends, also after a crash.

    Attributes:
        size: The number of its bytes.
    """

    def __init__(self, space: SpoolSpace) -> None:
        self.size = 0
        self._space = space
        self._reserved = 0
        self._is_lost = False
        self._is_closed = False
        self._file: IO[bytes] | None = None
        self._digest = hashlib.sha256()
        self._lock = threading.Lock()
        """Held while the file is written or closed: the thread of a cancelled call may still be writing."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._drop(close=True)

    @property
    def sha256(self) -> str:
        """The digest of its bytes, lower-case hex."""
        return self._digest.hexdigest()

    @property
    def file(self) -> IO[bytes]:
        """The file, which is made at the first use.

        Raises:
            OSError: The file cannot be made.
        """
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._space.folder, buffering=0)  # noqa: SIM115 - closed by `_drop`
        return self._file

    def holds(self, size: int) -> bool:
        """Whether the spool has all bytes of an upload of this size."""
        return not self._is_lost and self.size == size

    async def add(self, offset: int, part: bytes) -> None:
        """Add bytes of the upload at `offset`.

        If they do not follow its last byte, or there is no space for them, the spool is dropped: the upload is read
        back later.
        """
        if self._is_lost:
            return
        if offset != self.size or not self._space.take(len(part)):
            self._lose()
            return
        self._reserved += len(part)
        try:
            await asyncio.to_thread(self._write, part)
        except OSError as error:
            log.warning("spool_lost", error=repr(error))
            self._lose()

    async def refill(self, parts: AsyncIterable[bytes]) -> None:
        """Replace the bytes of the spool.

        Raises:
            OSError: The disk is full.
        """
        self._drop()
        self._is_lost = False
        async for part in parts:
            await asyncio.to_thread(self._write, part)

    def _write(self, part: bytes) -> None:
        with self._lock:
            if self._is_closed:
                return
            file = self.file
            written = 0
            while written < len(part):  # a raw file may accept less, for example when the disk is almost full
                written += file.write(part[written:])
            self._digest.update(part)
            self.size += len(part)

    def _lose(self) -> None:
        self._drop()
        self._is_lost = True

    def _drop(self, *, close: bool = False) -> None:
        with self._lock:
            self._is_closed = close
            if self._file is not None:
                self._file.close()
                self._file = None
            self._digest = hashlib.sha256()
            self.size = 0
        self._space.give_back(self._reserved)
        self._reserved = 0

"""The sources that FFmpeg reads: a descriptor, never a name."""

import io
import os
import socket


class FileSource:
    """A regular file, read with explicit positions.

    The descriptor shares its offset with every other process that holds the file, so each read names its position.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._position = 0
        self._patches: dict[int, bytes] = {}
        self.size = os.fstat(fd).st_size

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; none at the end."""
        data = self.peek(size, at=self._position)
        for offset, patch in self._patches.items():
            data = _patched(data, self._position, offset, patch)
        self._position += len(data)
        return data

    def peek(self, size: int, *, at: int = 0) -> bytes:
        """Return up to `size` bytes of the file at an offset, without patches, and without moving the position."""
        return os.pread(self._fd, size, at) if at < self.size else b""  # sizes in headers may be beyond any file

    def patch(self, offset: int, data: bytes) -> None:
        """Let reads see other bytes at an offset. The file itself stays as it is."""
        self._patches[offset] = data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to `offset`, as `io.IOBase.seek` does."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position


def _patched(data: bytes, at: int, offset: int, patch: bytes) -> bytes:
    """Return `data`, which begins at `at`, with the part of the patch that lies in it."""
    begin, end = max(at, offset), min(at + len(data), offset + len(patch))
    if begin >= end:
        return data
    return data[: begin - at] + patch[begin - offset : end - offset] + data[end - at :]


class LiveSource:
    """Bytes that are still being written, readable once.

    `read` returns the bytes that have arrived. To wait for the requested number would add latency.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._pushed_back = b""

    def peek(self, size: int) -> bytes:
        """Return the first `size` bytes, fewer only when the stream ends before; they will be read again."""
        while len(self._pushed_back) < size:
            data = self._channel.recv(size - len(self._pushed_back))
            if not data:
                break
            self._pushed_back += data
        return self._pushed_back[:size]

    def read(self, size: int) -> bytes:
        """Return from 1 to `size` bytes; none at the end."""
        if self._pushed_back:
            data, self._pushed_back = self._pushed_back[:size], self._pushed_back[size:]
            return data
        return self._channel.recv(size)

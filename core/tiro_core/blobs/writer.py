"""Writing a blob of unknown size from its start: split into parts, each stored when it is full."""

from tiro_core.blobs.interface import PART_BYTES, BlobStore


class BlobWriter:
    """Writes one blob. The last part is stored by `finish`.

    Attributes:
        size: The number of bytes written.
    """

    def __init__(self, blobs: BlobStore, key: str) -> None:
        self.size = 0
        self._blobs = blobs
        self._key = key
        self._filling = bytearray()
        self._count = 0

    async def write(self, data: bytes) -> None:
        """Add bytes."""
        self.size += len(data)
        self._filling += data
        while len(self._filling) >= PART_BYTES:
            await self._store(bytes(self._filling[:PART_BYTES]))
            del self._filling[:PART_BYTES]

    async def finish(self) -> None:
        """Store the last part."""
        if self._filling:
            await self._store(bytes(self._filling))
            self._filling.clear()

    async def _store(self, part: bytes) -> None:
        await self._blobs.put_part(self._key, self._count, part)
        self._count += 1

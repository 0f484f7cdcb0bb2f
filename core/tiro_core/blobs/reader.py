"""Reading a whole blob: its parts in order, the next ones asked for before they are wanted."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Coroutine

from tiro_core.blobs.interface import PART_BYTES, BlobStore

PARTS_AHEAD = 4
"""Parts that are under way at once, which hides the store's way there and back. A reader holds 2 MiB of them."""


async def read_parts(store: BlobStore, key: str, size: int) -> AsyncGenerator[bytes, None]:
    """All parts of a blob of `size` bytes, in order. Close it (`aclosing`): parts are under way while it is open.

    Raises:
        PartMissing: One is not there, damaged, or of the wrong size.
    """
    count = -(-size // PART_BYTES)

    def part(index: int) -> Coroutine[None, None, bytes]:
        return store.get_part(key, index, size=min(PART_BYTES, size - index * PART_BYTES))

    under_way: deque[asyncio.Task[bytes]] = deque()
    try:
        for index in range(count):
            while len(under_way) < PARTS_AHEAD and index + len(under_way) < count:
                under_way.append(asyncio.create_task(part(index + len(under_way)), name="read-ahead"))
            data = await under_way[0]
            under_way.popleft()
            yield data
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

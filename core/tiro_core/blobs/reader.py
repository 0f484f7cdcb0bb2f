"""Reading a whole blob: its parts in order, with the next ones requested ahead."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Coroutine

from tiro_core.blobs.interface import PART_BYTES, BlobStore

PARTS_AHEAD = 4
"""Parts that are requested at once, which hides the round trip to the store. A reader holds 2 MiB of them."""


async def read_parts(store: BlobStore, key: str, size: int) -> AsyncGenerator[bytes, None]:
    """All parts of a blob of `size` bytes, in order. Close the generator (`aclosing`): it has requests under way.

    Raises:
        PartMissing: A part does not exist, is damaged, or has another size.
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

"""Spooling a recording from the store for the decoder, into a file without a name that is deleted when it is closed."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import IO

from tiro_core.blobs.interface import BlobStore
from tiro_core.blobs.keys import upload_key
from tiro_core.blobs.reader import read_parts
from tiro_transcriber import metrics


@asynccontextmanager
async def spooled(
    blobs: BlobStore, *, tenant: str, upload_id: str, size: int, folder: Path | None
) -> AsyncIterator[IO[bytes]]:
    """The bytes of an upload as a file.

    Raises:
        PartMissing: A part is not in the store, or is damaged.
        OSError: The folder's disk is full.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        with metrics.step("spool"):
            async with aclosing(read_parts(blobs, upload_key(tenant, upload_id), size)) as parts:
                async for part in parts:
                    await asyncio.to_thread(file.write, part)
            await asyncio.to_thread(file.flush)
        yield file

"""A recording on its way from the store to the decoder: in a file without a name, gone when it is closed."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

from tiro_core.bus.blobs import BlobStore, read_parts, upload_key
from tiro_transcriber import telemetry


@asynccontextmanager
async def spooled(
    blobs: BlobStore, *, tenant: str, upload_id: str, size: int, folder: Path | None
) -> AsyncIterator[IO[bytes]]:
    """The bytes of an upload as a file.

    Raises:
        PartMissing: A part is not in the store, or damaged.
        OSError: The folder's disk is full.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        with telemetry.stage("spool"):
            async for part in read_parts(blobs, upload_key(tenant, upload_id), size):
                await asyncio.to_thread(file.write, part)
            await asyncio.to_thread(file.flush)
        yield file

"""Blobs over a real NATS server."""

import os

import pytest

from tiro_core.blobs.interface import PART_BYTES, PartMissing
from tiro_core.blobs.jetstream import JetStreamBlobStore
from tiro_core.blobs.reading import read_parts
from tiro_core.bus.connection import Bus


@pytest.fixture
def blobs(bus: Bus) -> JetStreamBlobStore:
    """A blob store."""
    return JetStreamBlobStore(bus)


async def test_parts_come_back_in_order(blobs: JetStreamBlobStore, tenant: str) -> None:
    """A blob is read as it was written, its last part shorter than the others."""
    data = os.urandom(2 * PART_BYTES + 77)
    for index, offset in enumerate(range(0, len(data), PART_BYTES)):
        await blobs.put_part(f"{tenant}.blob", index, data[offset : offset + PART_BYTES])
    assert b"".join([part async for part in read_parts(blobs, f"{tenant}.blob", len(data))]) == data


async def test_a_part_can_be_replaced(blobs: JetStreamBlobStore, tenant: str) -> None:
    """Writing a part again leaves the new bytes only."""
    await blobs.put_part(f"{tenant}.blob", 0, b"old")
    await blobs.put_part(f"{tenant}.blob", 0, b"new")
    assert await blobs.get_part(f"{tenant}.blob", 0) == b"new"


async def test_a_blob_shorter_than_announced_is_noticed(blobs: JetStreamBlobStore, tenant: str) -> None:
    """A reader that expects more bytes than are there is told."""
    await blobs.put_part(f"{tenant}.blob", 0, b"short")
    with pytest.raises(PartMissing):
        [part async for part in read_parts(blobs, f"{tenant}.blob", 10)]


async def test_deleting_takes_every_part_and_nothing_else(blobs: JetStreamBlobStore, tenant: str) -> None:
    """All parts of the blob are gone; a blob with a similar name stays."""
    await blobs.put_part(f"{tenant}.blob", 0, b"a")
    await blobs.put_part(f"{tenant}.blob", 1, b"b")
    await blobs.put_part(f"{tenant}.blob2", 0, b"c")
    await blobs.delete(f"{tenant}.blob")
    for index in (0, 1):
        with pytest.raises(PartMissing):
            await blobs.get_part(f"{tenant}.blob", index)
    assert await blobs.get_part(f"{tenant}.blob2", 0) == b"c"


async def test_a_part_is_bounded(blobs: JetStreamBlobStore, tenant: str) -> None:
    """A part that NATS would refuse is refused before it is sent."""
    with pytest.raises(ValueError, match="at most"):
        await blobs.put_part(f"{tenant}.blob", 0, bytes(PART_BYTES + 1))

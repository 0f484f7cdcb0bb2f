"""The contract of a blob store."""

import asyncio
import os
import time
from contextlib import aclosing

import pytest

from tiro_core.blobs.interface import NOTHING, PART_BYTES, BlobStore, PartConflict, PartMissing, StoredPart
from tiro_core.blobs.reader import PARTS_AHEAD, read_parts


async def _store(blobs: BlobStore, key: str, data: bytes) -> None:
    for index, offset in enumerate(range(0, len(data), PART_BYTES)):
        await blobs.put_part(key, index, data[offset : offset + PART_BYTES])


async def test_parts_come_back_in_order(blobs: BlobStore, tenant: str) -> None:
    """A blob of more parts than are read ahead is read as it was written, its last part shorter than the others."""
    data = os.urandom((PARTS_AHEAD + 2) * PART_BYTES + 77)
    await _store(blobs, f"{tenant}.blob", data)
    async with aclosing(read_parts(blobs, f"{tenant}.blob", len(data))) as parts:
        assert b"".join([part async for part in parts]) == data


async def test_a_reader_may_stop_in_the_middle(blobs: BlobStore, tenant: str) -> None:
    """Reading ahead ends once the reader is closed."""
    data = os.urandom((PARTS_AHEAD + 2) * PART_BYTES)
    await _store(blobs, f"{tenant}.blob", data)
    async with aclosing(read_parts(blobs, f"{tenant}.blob", len(data))) as parts:
        assert await anext(parts) == data[:PART_BYTES]
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "read-ahead"]


async def test_a_part_can_be_replaced(blobs: BlobStore, tenant: str) -> None:
    """A part that is written again has the new bytes only."""
    await blobs.put_part(f"{tenant}.blob", 0, b"old")
    await blobs.put_part(f"{tenant}.blob", 0, b"new")
    assert await blobs.get_part(f"{tenant}.blob", 0) == b"new"


async def test_an_empty_part(blobs: BlobStore, tenant: str) -> None:
    """A part of zero bytes exists."""
    await blobs.put_part(f"{tenant}.blob", 0, b"")
    assert await blobs.get_part(f"{tenant}.blob", 0) == b""


async def test_a_blob_shorter_than_announced_raises(blobs: BlobStore, tenant: str) -> None:
    """A reader that expects more bytes than are stored gets PartMissing."""
    await blobs.put_part(f"{tenant}.blob", 0, b"short")
    with pytest.raises(PartMissing):
        [part async for part in read_parts(blobs, f"{tenant}.blob", 10)]


async def test_parts_before_a_missing_part_are_read(blobs: BlobStore, tenant: str) -> None:
    """PartMissing is raised at the missing part, not earlier."""
    data = os.urandom(PART_BYTES)
    await blobs.put_part(f"{tenant}.blob", 0, data)
    await blobs.put_part(f"{tenant}.blob", 2, data)
    async with aclosing(read_parts(blobs, f"{tenant}.blob", 3 * PART_BYTES)) as parts:
        assert await anext(parts) == data
        with pytest.raises(PartMissing):
            await anext(parts)


async def test_a_new_part_does_not_replace_an_existing_one(blobs: BlobStore, tenant: str) -> None:
    """A write that expects no part is refused where one exists, and the existing part stays."""
    assert await blobs.part_revision(f"{tenant}.blob", 0) == NOTHING
    await blobs.put_part_expecting(f"{tenant}.blob", 0, b"first", revision=NOTHING)
    with pytest.raises(PartConflict):
        await blobs.put_part_expecting(f"{tenant}.blob", 0, b"second", revision=NOTHING)
    assert await blobs.get_part(f"{tenant}.blob", 0) == b"first"


async def test_one_of_two_writers_replaces_a_part(blobs: BlobStore, tenant: str) -> None:
    """Of two writers that read the same revision, the second is refused."""
    await blobs.put_part(f"{tenant}.blob", 0, b"first")
    seen = await blobs.part_revision(f"{tenant}.blob", 0)
    await blobs.put_part_expecting(f"{tenant}.blob", 0, b"second", revision=seen)
    with pytest.raises(PartConflict):
        await blobs.put_part_expecting(f"{tenant}.blob", 0, b"third", revision=seen)
    assert await blobs.get_part(f"{tenant}.blob", 0) == b"second"


async def test_the_same_bytes_written_again_have_another_revision(blobs: BlobStore, tenant: str) -> None:
    """A writer with an older revision is refused, although the bytes are the same."""
    await blobs.put_part(f"{tenant}.blob", 0, b"the same")
    seen = await blobs.part_revision(f"{tenant}.blob", 0)
    await blobs.put_part_expecting(f"{tenant}.blob", 0, b"the same", revision=seen)
    assert await blobs.part_revision(f"{tenant}.blob", 0) != seen
    with pytest.raises(PartConflict):
        await blobs.put_part_expecting(f"{tenant}.blob", 0, b"of a replaced writer", revision=seen)


async def test_a_deleted_part_is_not_replaced(blobs: BlobStore, tenant: str) -> None:
    """A writer that read a part is refused after the part was deleted."""
    await blobs.put_part(f"{tenant}.blob", 0, b"first")
    seen = await blobs.part_revision(f"{tenant}.blob", 0)
    await blobs.delete(f"{tenant}.blob")
    with pytest.raises(PartConflict):
        await blobs.put_part_expecting(f"{tenant}.blob", 0, b"second", revision=seen)


async def test_one_of_many_concurrent_writers_wins(blobs: BlobStore, tenant: str) -> None:
    """Of concurrent writes that expect no part, the server accepts one."""
    writes = (
        blobs.put_part_expecting(f"{tenant}.blob", 0, bytes([number]) * PART_BYTES, revision=NOTHING)
        for number in range(8)
    )
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    winners = [number for number, outcome in enumerate(outcomes) if outcome is None]
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [PartConflict] * 7
    assert await blobs.get_part(f"{tenant}.blob", 0) == bytes(winners) * PART_BYTES


async def test_deletion_removes_all_parts_of_a_blob_only(blobs: BlobStore, tenant: str) -> None:
    """All parts of the blob, and blobs below it, are gone; a blob with a similar name stays."""
    await blobs.put_part(f"{tenant}.blob", 0, b"a")
    await blobs.put_part(f"{tenant}.blob", 1, b"b")
    await blobs.put_part(f"{tenant}.blob.below", 0, b"c")
    await blobs.put_part(f"{tenant}.blob2", 0, b"d")
    await blobs.delete(f"{tenant}.blob")
    for key, index in ((f"{tenant}.blob", 0), (f"{tenant}.blob", 1), (f"{tenant}.blob.below", 0)):
        with pytest.raises(PartMissing):
            await blobs.get_part(key, index)
    assert await blobs.get_part(f"{tenant}.blob2", 0) == b"d"


async def test_deletion_may_be_repeated(blobs: BlobStore, tenant: str) -> None:
    """Deletion of a blob that does not exist succeeds."""
    await blobs.delete(f"{tenant}.blob")


async def test_a_part_over_the_limit_is_refused(blobs: BlobStore, tenant: str) -> None:
    """A part that the store would refuse is refused before it is sent."""
    with pytest.raises(ValueError, match="at most"):
        await blobs.put_part(f"{tenant}.blob", 0, bytes(PART_BYTES + 1))


async def _listed(blobs: BlobStore, below: str, *, after: str = "", limit: int = 3) -> list[StoredPart]:
    parts: list[StoredPart] = []
    cursor: str | None = after
    while cursor is not None:
        page = await blobs.list_parts(after=cursor, below=below, limit=limit)
        assert len(page.parts) <= limit
        parts.extend(page.parts)
        cursor = page.next
    return parts


async def test_every_part_is_listed_once(blobs: BlobStore, tenant: str) -> None:
    """A listing has each part below a prefix once, with its time of storage, for any page size."""
    begun = time.time()
    for number in range(4):
        for index in range(2):
            await blobs.put_part(f"{tenant}.{number}.audio", index, b"part")
    await blobs.put_part(f"{tenant}2.0.audio", 0, b"another tenant's")
    expected = {(f"{tenant}.{number}.audio", index) for number in range(4) for index in range(2)}
    clock_error = 5.0
    for limit in (1, 3, 8, 1000):
        parts = await _listed(blobs, tenant, limit=limit)
        assert {(part.key, part.index) for part in parts} == expected
        assert len(parts) == len(expected)
        assert all(begun - clock_error < part.stored_at < time.time() + clock_error for part in parts)


async def test_a_listing_continues_after_a_part(blobs: BlobStore, tenant: str) -> None:
    """A cursor stays valid after its part was deleted."""
    for number in range(4):
        await blobs.put_part(f"{tenant}.{number}", 0, b"part")
    parts = await _listed(blobs, tenant)
    await blobs.delete(parts[1].key)
    rest = await _listed(blobs, tenant, after=parts[1].cursor)
    assert [part.key for part in rest] == [part.key for part in parts[2:]]


async def test_a_listing_has_the_order_that_the_store_declares(blobs: BlobStore, tenant: str) -> None:
    """The order is that of storing, in which a replaced part comes last; or that of the keys."""
    for name in ("b", "a", "c"):
        await blobs.put_part(f"{tenant}.{name}", 0, b"part")
    cursor = (await _listed(blobs, tenant))[-1].cursor
    await blobs.put_part(f"{tenant}.b", 0, b"replaced")
    order, rest = ("acb", "b") if blobs.lists_oldest_first else ("abc", "")
    assert [part.key for part in await _listed(blobs, tenant)] == [f"{tenant}.{name}" for name in order]
    assert [part.key for part in await _listed(blobs, tenant, after=cursor)] == [f"{tenant}.{name}" for name in rest]


async def test_an_empty_listing(blobs: BlobStore, tenant: str) -> None:
    """A listing without parts is one empty page."""
    page = await blobs.list_parts(below=tenant)
    assert (list(page.parts), page.next) == ([], None)

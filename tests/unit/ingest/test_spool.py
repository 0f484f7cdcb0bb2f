"""The spool: bytes of uploads on the local disk."""

import errno
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tiro_ingest.uploads.spool import SpoolSpace, UploadSpool

PARTS = [b"first", b"second", b"third"]
WHOLE = b"".join(PARTS)


async def fill(spool: UploadSpool) -> None:
    """Add all parts."""
    at = 0
    for part in PARTS:
        await spool.add(at, part)
        at += len(part)


def read(spool: UploadSpool) -> bytes:
    """The content of the spool's file."""
    return os.pread(spool.file.fileno(), 1000, 0)


async def parts() -> AsyncIterator[bytes]:
    """All parts, as they are read back."""
    for part in PARTS:
        yield part


async def test_a_spool_has_the_bytes_and_their_digest(tmp_path: Path) -> None:
    """The bytes are in a file without a name, which is closed with the context."""
    async with UploadSpool(SpoolSpace(tmp_path, 1000)) as spool:
        await fill(spool)
        assert spool.holds(len(WHOLE))
        assert not spool.holds(len(WHOLE) + 1)
        assert (read(spool), spool.sha256) == (WHOLE, hashlib.sha256(WHOLE).hexdigest())
        assert os.listdir(tmp_path) == []  # noqa: PTH208 - in an async test
        descriptor = spool.file.fileno()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


async def test_an_empty_upload(tmp_path: Path) -> None:
    """The spool of an empty upload has an empty file."""
    async with UploadSpool(SpoolSpace(tmp_path, 0)) as spool:
        assert spool.holds(0)
        assert (read(spool), spool.sha256) == (b"", hashlib.sha256().hexdigest())


async def test_a_gap_discards_the_spool(tmp_path: Path) -> None:
    """Bytes with a gap, as of a resumed upload, discard the spool and release its space. It can be refilled."""
    space = SpoolSpace(tmp_path, 1000)
    async with UploadSpool(space) as spool:
        await spool.add(0, b"first")
        await spool.add(100, b"later")
        await spool.add(5, b"next")
        assert not spool.holds(5)
        assert space.take(1000)
        await spool.refill(parts())
        assert spool.holds(len(WHOLE))
        assert (read(spool), spool.sha256) == (WHOLE, hashlib.sha256(WHOLE).hexdigest())


async def test_all_spools_share_a_limit(tmp_path: Path) -> None:
    """A spool that does not fit is discarded, others are not. A closed spool releases its space."""
    space = SpoolSpace(tmp_path, len(WHOLE) + 1)
    async with UploadSpool(space) as late:
        async with UploadSpool(space) as first:
            await fill(first)
            await late.add(0, b"more")
            assert first.holds(len(WHOLE))
            assert not late.holds(4)
        async with UploadSpool(space) as second:
            await fill(second)
            assert second.holds(len(WHOLE))


async def test_a_full_disk_discards_the_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk does not fail the upload, whose bytes are read back later. At that time it is an error."""

    def no_room(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    space = SpoolSpace(tmp_path, 1000)
    async with UploadSpool(space) as spool:
        monkeypatch.setattr("tiro_ingest.uploads.spool.tempfile.TemporaryFile", no_room)
        await fill(spool)
        assert not spool.holds(len(WHOLE))
        assert space.take(1000)
        with pytest.raises(OSError, match="No space left"):
            await spool.refill(parts())


async def test_a_late_write_does_not_use_a_closed_file(tmp_path: Path) -> None:
    """The thread of a cancelled write may run after the close, when the descriptor may be another file's."""
    async with UploadSpool(SpoolSpace(tmp_path, 1000)) as spool:
        await spool.add(0, b"first")
    spool._write(b"late")
    assert spool.size == 0
    assert spool._file is None

"""Blobs: what is too large for one message, stored in parts that can be read and replaced one by one.

A part is one message on a subject of its own. So a broken upload goes on at a part, a reader can seek, a deletion is
one request, and nothing half-written stays behind (docs/adr/0005).
"""

import hashlib
from collections.abc import AsyncIterator
from typing import Protocol

from nats.js.errors import NotFoundError

from tiro_core.bus import topology
from tiro_core.bus.connection import Bus
from tiro_core.bus.publishing import patiently, publish, publish_expecting

PART_BYTES = 512 * 1024
"""The size of every part but the last. Half of NATS's default limit for a message."""

_DIGEST = "Tiro-Sha256"


class PartMissing(Exception):  # noqa: N818 - reads as the condition it reports
    """A part is not there, or not what was stored."""


class BlobStore(Protocol):
    """Where audio and transcripts are kept. JetStream now; anything that has keys and parts can be it."""

    async def put_part(self, key: str, index: int, data: bytes) -> None:
        """Store or replace a part of at most `PART_BYTES`."""

    async def put_part_expecting(self, key: str, index: int, data: bytes, *, revision: int) -> None:
        """Store a part if what is there now has this revision (0: nothing is there).

        Raises:
            Conflict: Something else is there.
        """

    async def part_revision(self, key: str, index: int) -> int:
        """The revision of a part, 0 when it is not there."""

    async def get_part(self, key: str, index: int) -> bytes:
        """Read a part.

        Raises:
            PartMissing: It is not there or damaged.
        """

    async def delete(self, key: str) -> None:
        """Delete every part of a blob, and of every blob below it."""


class JetStreamBlobStore:
    """Blobs in a JetStream stream."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def put_part(self, key: str, index: int, data: bytes) -> None:
        """Store or replace a part of at most `PART_BYTES`."""
        await publish(self._bus, _subject(key, index), data, headers=_headers(data))

    async def put_part_expecting(self, key: str, index: int, data: bytes, *, revision: int) -> None:
        """Store a part if what is there now has this revision (0: nothing is there).

        Raises:
            Conflict: Something else is there.
        """
        subject = _subject(key, index)
        await publish_expecting(self._bus, topology.BLOBS, subject, data, last=revision, headers=_headers(data))

    async def part_revision(self, key: str, index: int) -> int:
        """The revision of a part, 0 when it is not there."""
        try:
            # From the stream's leader: a replica may not have what was just written.
            return (await self._bus.jetstream.get_msg(topology.BLOBS, subject=_subject(key, index))).seq or 0
        except NotFoundError:
            return 0

    async def get_part(self, key: str, index: int) -> bytes:
        """Read a part.

        Raises:
            PartMissing: It is not there or damaged.
        """
        subject = _subject(key, index)
        try:
            message = await patiently(
                self._bus, lambda: self._bus.jetstream.get_msg(topology.BLOBS, subject=subject, direct=True)
            )
        except NotFoundError:
            raise PartMissing(f"part {index} of {key} is not there") from None
        data = message.data or b""
        if hashlib.sha256(data).hexdigest() != (message.headers or {}).get(_DIGEST):
            raise PartMissing(f"part {index} of {key} is damaged")
        return data

    async def delete(self, key: str) -> None:
        """Delete every part of a blob, and of every blob below it."""
        await self._bus.jetstream.purge_stream(topology.BLOBS, subject=f"tiro.blob.{key}.>")


async def read_parts(store: BlobStore, key: str, size: int) -> AsyncIterator[bytes]:
    """All parts of a blob of `size` bytes, in order.

    Raises:
        PartMissing: One is not there, damaged, or of the wrong size.
    """
    for index, offset in enumerate(range(0, size, PART_BYTES)):
        data = await store.get_part(key, index)
        if len(data) != min(PART_BYTES, size - offset):
            raise PartMissing(f"part {index} of {key} has {len(data)} bytes")
        yield data


def upload_key(tenant: str, upload_id: str) -> str:
    """The blob of an upload."""
    return f"{tenant}.{upload_id}.audio"


def transcripts_key(tenant: str, job: str) -> str:
    """All transcripts of a job."""
    return f"{tenant}.{job}.transcript"


def transcript_key(tenant: str, job: str, epoch: int) -> str:
    """The blob of a transcript as one owner of the job wrote it."""
    return f"{transcripts_key(tenant, job)}.{epoch}"


def _headers(data: bytes) -> dict[str, str]:
    if len(data) > PART_BYTES:
        raise ValueError(f"a part has at most {PART_BYTES} bytes, not {len(data)}")
    return {_DIGEST: hashlib.sha256(data).hexdigest()}


def _subject(key: str, index: int) -> str:
    return f"tiro.blob.{key}.{index}"

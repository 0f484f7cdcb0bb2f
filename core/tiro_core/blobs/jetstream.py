"""Blobs in a JetStream stream: each part is one message on a subject of its own, the newest one kept."""

import hashlib

from nats.js.errors import NotFoundError

from tiro_core.blobs.interface import NOTHING, PartMissing, Revision, require_part_size
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.publishing import patiently, publish, publish_expecting

_DIGEST = "Tiro-Sha256"


class JetStreamBlobStore:
    """Blobs in a JetStream stream. A revision is a message's sequence in it."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def put_part(self, key: str, index: int, data: bytes) -> None:
        """Store or replace a part of at most `PART_BYTES`."""
        await publish(self._bus, _subject(key, index), data, headers=_headers(data))

    async def put_part_expecting(self, key: str, index: int, data: bytes, *, revision: Revision) -> None:
        """Store a part if what is there now has this revision.

        Raises:
            Conflict: Something else is there.
        """
        subject, last = _subject(key, index), int(revision or 0)
        await publish_expecting(self._bus, topology.BLOBS, subject, data, last=last, headers=_headers(data))

    async def part_revision(self, key: str, index: int) -> Revision:
        """The revision of a part, `NOTHING` when it is not there."""
        try:
            # From the stream's leader: a replica may not have what was just written.
            message = await self._bus.jetstream.get_msg(topology.BLOBS, subject=_subject(key, index))
        except NotFoundError:
            return NOTHING
        return Revision(str(message.seq)) if message.seq else NOTHING

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


def _headers(data: bytes) -> dict[str, str]:
    require_part_size(data)
    return {_DIGEST: hashlib.sha256(data).hexdigest()}


def _subject(key: str, index: int) -> str:
    return f"tiro.blob.{key}.{index}"

"""Blobs in a JetStream stream: each part is one message on a subject of its own, the newest one kept."""

import asyncio
import hashlib
import time

from tiro_core.blobs.interface import (
    NOTHING,
    PAGE_PARTS_MAX,
    PartConflict,
    PartMissing,
    PartPage,
    Revision,
    StoredPart,
    require_part_size,
)
from tiro_core.blobs.settling import settled
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import Conflict, NotFound
from tiro_core.messaging.operations import StoredMessage, last_message, purge
from tiro_core.messaging.publishing import PATIENCE_SECONDS, publish, publish_expecting, read_patiently, with_patience
from tiro_core.messaging.reading.pages import read_page

MISSING_SECONDS_MAX = 1.0
"""In a cluster, how long the stream's leader is asked for a part before it counts as missing: for a moment after an
election a leader may not have what the leader before it had acknowledged."""
MISSING_RETRY_SECONDS = 0.1

_DIGEST = "Tiro-Sha256"
_SUBJECTS = "tiro.blob."


class JetStreamBlobStore:
    """Blobs in a JetStream stream. A revision, and a cursor of a listing, is a message's sequence in it.

    Args:
        bus: The connection.
        is_replicated: The stream has more than one replica.
    """

    kind = "jetstream"
    lists_oldest_first = True

    def __init__(self, bus: Bus, *, is_replicated: bool = False) -> None:
        self._bus = bus
        self._missing_seconds_max = MISSING_SECONDS_MAX if is_replicated else 0.0

    async def put_part(self, key: str, index: int, data: bytes) -> None:
        """Store or replace a part of at most `PART_BYTES`."""
        await settled(publish(self._bus, _subject(key, index), data, headers=_headers(data)))

    async def put_part_expecting(self, key: str, index: int, data: bytes, *, revision: Revision) -> None:
        """Store a part if its present revision is `revision`.

        Raises:
            PartConflict: The part has another revision.
        """
        subject, last = _subject(key, index), int(revision or 0)
        try:
            await settled(
                publish_expecting(self._bus, topology.BLOBS, subject, data, last=last, headers=_headers(data))
            )
        except Conflict:
            raise PartConflict(f"part {index} of {key} was written by another writer") from None

    async def part_revision(self, key: str, index: int) -> Revision:
        """The revision of a part, `NOTHING` when it does not exist."""
        subject = _subject(key, index)
        try:
            message = await with_patience(lambda: last_message(self._bus, topology.BLOBS, subject), PATIENCE_SECONDS)
        except NotFound:
            return NOTHING
        return Revision(str(message.sequence)) if message.sequence else NOTHING

    async def get_part(self, key: str, index: int, *, size: int | None = None) -> bytes:
        """Read a part from any replica, which may be behind; where that one lacks it, from the stream's leader.

        Raises:
            PartMissing: The part does not exist, is damaged, or has another size.
        """
        data, reason = await self._read(key, index, size, from_any_replica=True)
        deadline = time.monotonic() + self._missing_seconds_max
        while data is None:
            data, reason = await self._read(key, index, size, from_any_replica=False)
            if data is None and time.monotonic() >= deadline:
                raise PartMissing(f"part {index} of {key} {reason}")
            if data is None:
                await asyncio.sleep(MISSING_RETRY_SECONDS)
        return data

    async def delete(self, key: str) -> None:
        """Delete every part of a blob, and of every blob below it."""
        await purge(self._bus, topology.BLOBS, f"{_SUBJECTS}{key}.>")

    async def list_parts(self, *, after: str = "", below: str = "", limit: int = PAGE_PARTS_MAX) -> PartPage:
        """List the parts that are stored, in the order in which they were stored. See `BlobStore.list_parts`.

        The server reads each part from its disk for that, and sends only the headers.
        """
        subject = f"{_SUBJECTS}{below}.>" if below else f"{_SUBJECTS}>"
        found = await read_page(
            self._bus, topology.BLOBS, subject, after=int(after or 0), limit=limit, headers_only=True
        )
        parts = [_part(message) for message in found]
        return PartPage(parts, parts[-1].cursor if len(parts) == limit else None)

    async def _read(
        self, key: str, index: int, size: int | None, *, from_any_replica: bool
    ) -> tuple[bytes | None, str]:
        """A part as one server has it. None, and the reason, where the server lacks it or it is damaged."""
        subject = _subject(key, index)

        async def read() -> StoredMessage:
            return await last_message(self._bus, topology.BLOBS, subject, from_any_replica=from_any_replica)

        try:
            message = await read_patiently(self._bus, read)
        except NotFound:
            return None, "is not there"
        if hashlib.sha256(message.data).hexdigest() != message.headers.get(_DIGEST):
            return None, "is damaged"
        if size is not None and len(message.data) != size:
            return None, f"has {len(message.data)} bytes, not {size}"
        return message.data, ""


def _headers(data: bytes) -> dict[str, str]:
    require_part_size(data)
    return {_DIGEST: hashlib.sha256(data).hexdigest()}


def _subject(key: str, index: int) -> str:
    return f"{_SUBJECTS}{key}.{index}"


def _part(message: StoredMessage) -> StoredPart:
    key, _, index = message.subject.removeprefix(_SUBJECTS).rpartition(".")
    return StoredPart(key, int(index), message.stored_at, str(message.sequence))

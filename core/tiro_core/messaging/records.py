"""Records: one protobuf message a key, changed by compare-and-set only. They are authoritative, task messages hints."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Self, TypeVar

from google.protobuf.message import Message

from tiro_core.logs.logger import get_logger
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.decoding import decode
from tiro_core.messaging.errors import Conflict, NotFound, Unreadable
from tiro_core.messaging.operations import StoredMessage, last_message, purge, subjects_in
from tiro_core.messaging.publishing import EXPIRES, WRITE_ID, new_write_id, publish, publish_expecting, read_patiently
from tiro_core.messaging.reading.last_messages import last_messages
from tiro_core.messaging.reading.ordered_consumer import CAUGHT_UP, RESTARTED, DeliverFrom, OrderedConsumer, StreamState
from tiro_core.messaging.reading.pages import read_page

MUTATE_TRIES_MAX = 10
"""How often a change is tried again after another writer's."""
MUTATE_WAIT_SECONDS_MAX = 0.05
"""The longest wait between two of these tries. It is random, so that two writers do not conflict again."""
MARKER_SECONDS = 3600.0
"""How long the marker of a deletion is kept. A watcher that was cut off for longer begins again: see `Watch`."""
WRITES_REMEMBERED = 4
"""The number of earlier writes whose ids a record has. A writer whose acknowledgement was lost recognizes its write by
them, also when others have written since, and does not repeat its change."""

_OPERATION = "KV-Operation"
_DELETED = "DEL"
_WRITES_BEFORE = "Tiro-Writes-Before"

M = TypeVar("M", bound=Message)

log = get_logger()


class Superseded(Conflict):
    """The write was stored, and another writer has written since."""


@dataclass(frozen=True, slots=True)
class Stored(Generic[M]):
    """A record as it is stored."""

    value: M
    revision: int
    """Its sequence in the stream."""
    writes: tuple[str, ...] = ()
    """The ids of the write that stored it and of those before, the newest first."""


@dataclass(frozen=True, slots=True)
class Change(Generic[M]):
    """A record that was written, or deleted (`value` is None)."""

    key: str
    value: M | None
    revision: int
    written_at: float = 0.0
    """In seconds since 1970, by the server's clock."""


class RecordStore(Generic[M]):
    """The records of one bucket."""

    def __init__(self, bus: Bus, bucket: str, message_type: type[M]) -> None:
        self._bus = bus
        self._bucket = bucket
        self._stream = topology.bucket_stream(bucket)
        self._type = message_type

    async def get(self, key: str) -> Stored[M] | None:
        """Read a record from the stream's leader, which has the latest write. None when there is no record.

        Raises:
            BusUnavailable: NATS did not answer.
            Unreadable: The record cannot be decoded.
        """
        message = await self._newest(key)
        if message is None or _OPERATION in message.headers:  # deleted by Tiro, or purged with NATS's own tools
            return None
        return Stored(decode(self._type, message, self._stream), message.sequence, _writes_of(message))

    async def get_many(self, keys: Sequence[str]) -> dict[str, Stored[M]]:
        """Read records with one request from any replica, which may miss what was written a moment ago.

        Args:
            keys: The keys, at most `last_messages.SUBJECTS_MAX`.

        Returns:
            The records by key. Those that are missing, or cannot be decoded, are left out.

        Raises:
            BusUnavailable: NATS did not answer.
        """
        if not keys:
            return {}
        subjects = [self._subject(key) for key in keys]
        found = await read_patiently(self._bus, lambda: last_messages(self._bus, self._stream, subjects))
        changes = (self._readable_change(message) for message in found.values())
        return {
            change.key: Stored(change.value, change.revision, _writes_of(found[self._subject(change.key)]))
            for change in changes
            if change is not None and change.value is not None
        }

    async def _newest(self, key: str) -> StoredMessage | None:
        subject = self._subject(key)
        try:
            return await read_patiently(self._bus, lambda: last_message(self._bus, self._stream, subject))
        except NotFound:
            return None

    async def create(self, key: str, value: M, *, over_marker: bool = False) -> Stored[M]:
        """Write a record that does not exist yet.

        Args:
            key: The key of the record.
            value: The record.
            over_marker: Write it also where the marker of a deletion is not expired yet.

        Raises:
            Conflict: The record exists, or its marker does and `over_marker` is not set.
        """
        newest = await self._newest(key) if over_marker else None
        marker = newest.sequence if newest and _OPERATION in newest.headers else 0
        return await self._write(key, value, revision=marker, writes_before=())

    async def update(self, key: str, value: M, stored: Stored[M]) -> Stored[M]:
        """Replace a record that was read or written before.

        Raises:
            Superseded: The record was replaced, and another writer has replaced it since.
            Conflict: Another writer has replaced the record first.
        """
        return await self._write(key, value, revision=stored.revision, writes_before=stored.writes)

    async def _write(self, key: str, value: M, *, revision: int, writes_before: tuple[str, ...]) -> Stored[M]:
        payload = value.SerializeToString(deterministic=True)
        write_id, before = new_write_id(), writes_before[:WRITES_REMEMBERED]
        try:
            written = await publish_expecting(
                self._bus,
                self._stream,
                self._subject(key),
                payload,
                last=revision,
                headers={_WRITES_BEFORE: ",".join(before)} if before else None,
                write_id=write_id,
            )
        except Conflict:
            newest = await self.get(key)
            if newest is not None and write_id in newest.writes:
                raise Superseded(key) from None
            raise
        return Stored(value, written, (write_id, *before))

    async def put(self, key: str, value: M) -> None:
        """Write a record that has one writer only."""
        await publish(self._bus, self._subject(key), value.SerializeToString())

    async def mutate(self, key: str, change: Callable[[M], None]) -> Stored[M]:
        """Change a record, reading it again when another writer was faster.

        `change` edits its argument, or raises to leave the record as it is. The change is stored once, also where an
        acknowledgement was lost and others have written since.

        Raises:
            KeyError: There is no such record.
            Conflict: Another writer was faster at every try.
        """
        for _ in range(MUTATE_TRIES_MAX):
            stored = await self.get(key)
            if stored is None:
                raise KeyError(key)
            value = self._type()
            value.CopyFrom(stored.value)
            change(value)
            try:
                return await self.update(key, value, stored)
            except Superseded:
                return await self.get(key) or Stored(value, 0)
            except Conflict:
                await asyncio.sleep(random.uniform(0, MUTATE_WAIT_SECONDS_MAX))  # noqa: S311 - jitter keeps no secret
        raise Conflict(key)

    async def delete(self, key: str, stored: Stored[M] | None = None) -> None:
        """Delete a record, with a marker for watchers. Its key cannot be used again for `MARKER_SECONDS`.

        Args:
            key: The key of the record.
            stored: Delete the record only in this state. None: in any.

        Raises:
            Conflict: Another writer has replaced the record first.
        """
        subject = self._subject(key)
        marker = {_OPERATION: _DELETED}
        if stored is None:
            await publish(self._bus, subject, b"", headers=marker, expires_in_seconds=MARKER_SECONDS)
        else:
            expiring = {**marker, EXPIRES: str(int(MARKER_SECONDS))}
            await publish_expecting(self._bus, self._stream, subject, b"", last=stored.revision, headers=expiring)

    async def purge(self, key: str, *, revision: int | None = None) -> None:
        """Delete a record of a bucket that has no watchers, without a marker. Does nothing where there is no record.

        Args:
            key: The key of the record.
            revision: Delete only this revision: a record that was written since stays. None: delete any.
        """
        await purge(self._bus, self._stream, self._subject(key), up_to=revision)

    async def keys(self, prefix: str) -> list[str]:
        """The keys directly below `prefix`, unordered, those of deleted records included."""
        skip = len(self._subject(""))
        found = subjects_in(self._bus, self._stream, self._subject(f"{prefix}.*"))
        return [subject[skip:] async for subject in found]

    async def all(self, keys: str) -> AsyncIterator[Change[M]]:
        """The present records that match `keys` (wildcards as in subjects), each once."""
        async with self.watch(keys) as changes:
            async for change in changes:
                if change is CAUGHT_UP:
                    return
                if isinstance(change, Change) and change.value is not None:
                    yield change

    async def written_after(self, revision: int, *, limit: int) -> Sequence[Change[M]]:
        """The records whose last write comes after a revision, in the order of these writes.

        Deleted records are included, and those that cannot be decoded: neither have a value.

        Args:
            revision: Begin after this revision. 0: at the oldest write.
            limit: The most records to return. Fewer are returned only when there are no more.
        """
        found = await read_page(self._bus, self._stream, self._subject(">"), after=revision, limit=limit)
        return [self._readable_change(message) or self._change(message, None) for message in found]

    def watch(self, keys: str) -> "Watch[M]":
        """The records that match `keys` (wildcards as in subjects), then every change to them; see `Watch`."""
        consumer = OrderedConsumer(
            self._bus,
            self._stream,
            self._subject(keys),
            start=DeliverFrom.LAST_PER_SUBJECT,
            restart_after_seconds=MARKER_SECONDS / 2,
        )
        return Watch(consumer, self._readable_change)

    def _readable_change(self, message: StoredMessage) -> Change[M] | None:
        """The change that a message describes. None where it cannot be decoded, which is logged and counted."""
        try:
            value = None if _OPERATION in message.headers else decode(self._type, message, self._stream)
        except Unreadable as error:
            log.error("record_skipped", reason=str(error))  # noqa: TRY400 - a line says it all
            return None
        return self._change(message, value)

    def _change(self, message: StoredMessage, value: M | None) -> Change[M]:
        return Change(message.subject[len(self._subject("")) :], value, message.sequence, message.stored_at)

    def _subject(self, key: str) -> str:
        return topology.bucket_subject(self._bucket, key)


def _writes_of(message: StoredMessage) -> tuple[str, ...]:
    before = message.headers.get(_WRITES_BEFORE, "")
    return tuple(write for write in (message.headers.get(WRITE_ID, ""), *before.split(",")) if write)


class Watch(Generic[M]):
    """Iterates over changes. An `async with` owns its consumer on the server.

    `CAUGHT_UP` comes once every record that existed at the start has come. A watcher that was cut off for longer than
    `MARKER_SECONDS`, so that it may have missed deletions, gets `RESTARTED`: then every record comes again, followed by
    `CAUGHT_UP`. A record that did not come again was deleted. A write that cannot be decoded does not come.
    """

    def __init__(self, consumer: OrderedConsumer, readable_change: Callable[[StoredMessage], Change[M] | None]) -> None:
        self._consumer = consumer
        self._readable_change = readable_change

    async def __aenter__(self) -> Self:
        await self._consumer.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._consumer.__aexit__(kind, error, trace)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Change[M] | StreamState:
        while True:
            message = await anext(self._consumer)
            if isinstance(message, StreamState):
                return message
            change = self._readable_change(message)
            if change is not None:
                return change


__all__ = [
    "CAUGHT_UP",
    "MARKER_SECONDS",
    "MUTATE_TRIES_MAX",
    "RESTARTED",
    "Change",
    "RecordStore",
    "Stored",
    "StreamState",
    "Superseded",
    "Watch",
]

"""Records: one protobuf message a key, changed by compare-and-set only. They are the truth, messages are hints."""

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Self, TypeVar

from google.protobuf.message import Message
from nats.js.errors import NotFoundError

from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.ordered_consumer import DeliverFrom, OrderedConsumer
from tiro_core.messaging.publishing import Conflict, patiently, publish, publish_expecting

MUTATE_TRIES_MAX = 10
"""How often a change is tried again after somebody else's."""

MARKER_SECONDS = 3600.0
"""How long it can be seen that a record was deleted: a watcher that was cut off for longer begins anew anyway."""

_OPERATION = "KV-Operation"
_DELETED = "DEL"

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Stored(Generic[M]):
    """A record as it stands in the store."""

    value: M
    revision: int


@dataclass(frozen=True, slots=True)
class Change(Generic[M]):
    """A record that was written, or deleted (`value` is None)."""

    key: str
    value: M | None
    revision: int


class RecordStore(Generic[M]):
    """The records of one bucket."""

    def __init__(self, bus: Bus, bucket: str, message_type: type[M]) -> None:
        self._bus = bus
        self._bucket = bucket
        self._stream = topology.bucket_stream(bucket)
        self._type = message_type

    async def get(self, key: str) -> Stored[M] | None:
        """Read a record from the stream's leader, so that what was just written is seen. None when there is none."""
        try:
            subject = self._subject(key)
            message = await patiently(self._bus, lambda: self._bus.jetstream.get_msg(self._stream, subject=subject))
        except NotFoundError:
            return None
        if _OPERATION in (message.headers or {}):  # deleted by us, or purged with NATS's own tools
            return None
        return Stored(self._type.FromString(message.data or b""), message.seq or 0)

    async def create(self, key: str, value: M) -> Stored[M]:
        """Write a record that is not there yet.

        Raises:
            Conflict: It is there.
        """
        return await self.update(key, value, 0)

    async def update(self, key: str, value: M, revision: int) -> Stored[M]:
        """Write a record if it still has this revision.

        Raises:
            Conflict: It has not.
        """
        payload = value.SerializeToString(deterministic=True)
        written = await publish_expecting(self._bus, self._stream, self._subject(key), payload, last=revision)
        return Stored(value, written)

    async def put(self, key: str, value: M) -> None:
        """Write a record that has one writer only."""
        await publish(self._bus, self._subject(key), value.SerializeToString())

    async def mutate(self, key: str, change: Callable[[M], None]) -> Stored[M]:
        """Change a record, reading it again when somebody else was faster.

        `change` edits the message it is given, or raises to leave the record as it is.

        Raises:
            KeyError: There is no such record.
            Conflict: Others were faster every time.
        """
        for _ in range(MUTATE_TRIES_MAX):
            stored = await self.get(key)
            if stored is None:
                raise KeyError(key)
            value = self._type()
            value.CopyFrom(stored.value)
            change(value)
            try:
                return await self.update(key, value, stored.revision)
            except Conflict:
                continue
        raise Conflict(key)

    async def delete(self, key: str) -> None:
        """Delete a record. WatcherLimit are told. Its key cannot be used again for `MARKER_SECONDS`."""
        await publish(
            self._bus, self._subject(key), b"", headers={_OPERATION: _DELETED}, expires_in_seconds=MARKER_SECONDS
        )

    async def purge(self, key: str) -> None:
        """Delete a record that nobody watches, without a trace. Nothing happens where there is none."""
        await self._bus.jetstream.purge_stream(self._stream, subject=self._subject(key))

    async def keys(self, prefix: str) -> list[str]:
        """The keys below `prefix`, unordered, those of deleted records included. The server tells 100,000 at most."""
        info = await self._bus.jetstream.stream_info(self._stream, subjects_filter=self._subject(f"{prefix}.*"))
        skip = len(self._subject(""))
        return [subject[skip:] for subject in info.state.subjects or {}]

    def watch(self, keys: str) -> "Watch[M]":
        """The records that match `keys` (wildcards as in subjects), then None once, then every change to them."""
        tail = OrderedConsumer(self._bus, self._stream, self._subject(keys), start=DeliverFrom.LAST_PER_SUBJECT)
        return Watch(tail, self._type, len(self._subject("")))

    def _subject(self, key: str) -> str:
        return topology.bucket_subject(self._bucket, key)


class Watch(Generic[M]):
    """Gives out changes. An `async with` owns what it holds on the server."""

    def __init__(self, tail: OrderedConsumer, message_type: type[M], prefix_length: int) -> None:
        self._tail = tail
        self._type = message_type
        self._prefix_length = prefix_length

    async def __aenter__(self) -> Self:
        await self._tail.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._tail.__aexit__(kind, error, trace)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Change[M] | None:
        entry = await anext(self._tail)
        if entry is None:
            return None
        deleted = _OPERATION in entry.headers
        value = None if deleted else self._type.FromString(entry.data)
        return Change(entry.subject[self._prefix_length :], value, entry.sequence)

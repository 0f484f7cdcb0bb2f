"""API keys: shown once when they are created, stored as a hash, revoked at any time."""

import hashlib
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from tiro.events.v1.api_key_pb2 import ApiKeyRecord
from tiro_core.clock import now
from tiro_core.ids import check_tenant
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.mirror import Mirror, open_mirror
from tiro_core.messaging.records import RecordStore

PREFIX = "tiro_"
"""The prefix of every key, by which a leaked one is recognized."""
SECRET_BYTES = 32
_KEY_ID_DIGITS = 12


def hash_key(key: str) -> str:
    """The name under which a key is stored. A plain hash is enough for a secret of 256 random bits."""
    return hashlib.sha256(key.encode()).hexdigest()


class ApiKeys:
    """Creates, lists and revokes keys, for the administrator's command line."""

    def __init__(self, bus: Bus) -> None:
        self._records = RecordStore(bus, topology.API_KEYS_BUCKET, ApiKeyRecord)

    async def create(self, tenant: str, display_name: str) -> tuple[str, ApiKeyRecord]:
        """Create a key and return it with its record. The key cannot be read again.

        Raises:
            ValueError: The name is not valid for a tenant.
        """
        check_tenant(tenant)
        key = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        hashed = hash_key(key)
        record = ApiKeyRecord(
            key_id=hashed[:_KEY_ID_DIGITS], tenant=tenant, display_name=display_name, create_time=now()
        )
        await self._records.create(hashed, record)
        return key, record

    async def list(self) -> list[ApiKeyRecord]:
        """All keys, the oldest first."""
        found = [record for _, record in await self._all()]
        return sorted(found, key=lambda record: record.create_time.ToNanoseconds())

    async def revoke(self, key_id: str) -> ApiKeyRecord:
        """Revoke a key. Services refuse it as soon as their mirrors have the change, normally within milliseconds.

        Raises:
            KeyError: There is no such key.
        """

        def end(record: ApiKeyRecord) -> None:
            if not record.HasField("revoke_time"):
                record.revoke_time.CopyFrom(now())

        for key, record in await self._all():
            if record.key_id == key_id:
                return (await self._records.mutate(key, end)).value
        raise KeyError(key_id)

    async def _all(self) -> Sequence[tuple[str, ApiKeyRecord]]:
        return [(change.key, change.value) async for change in self._records.all(">") if change.value is not None]


class KeyRing:
    """All keys in memory, so that a call needs no request to NATS, and a revocation takes effect at once."""

    def __init__(self, mirror: Mirror[ApiKeyRecord]) -> None:
        self._mirror = mirror

    def find(self, key: str) -> ApiKeyRecord | None:
        """The record of a key, revoked or not. None when the key is not known."""
        return self._mirror.get(hash_key(key))


@asynccontextmanager
async def open_key_ring(bus: Bus) -> AsyncIterator[KeyRing]:
    """A key ring that is complete and follows the changes."""
    async with open_mirror(RecordStore(bus, topology.API_KEYS_BUCKET, ApiKeyRecord)) as mirror:
        yield KeyRing(mirror)

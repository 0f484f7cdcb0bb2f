"""`request_id`: the same id gives the same resource, whatever was lost or died in between."""

import hashlib
from dataclasses import dataclass

from google.protobuf.message import Message

from tiro.events.v1.transcription_pb2 import RequestRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.errors import TiroError, invalid_argument
from tiro_core.ids import new_id
from tiro_core.messaging import topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import Conflict
from tiro_core.messaging.records import RecordStore

RESERVE_TRIES_MAX = 5
"""How often other calls with the same `request_id` may be faster."""


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A request that its caller may repeat."""

    key: str
    """Where its record is. Empty when it has no `request_id`."""
    fingerprint: bytes
    """Tells a repetition from a mistake."""


def idempotent_request(tenant: str, method: str, request_id: str, request: Message) -> IdempotentRequest:
    """A request as its record knows it. Ids of different methods and tenants do not meet.

    Args:
        tenant: Whose request it is.
        method: The method that was called.
        request_id: What the caller gave. Hashed, because a caller's text in a key could open another tenant's.
        request: The whole request.
    """
    digest = hashlib.sha256(b"\0".join((method.encode(), request_id.encode()))).hexdigest()
    fingerprint = hashlib.sha256(request.SerializeToString(deterministic=True)).digest()
    return IdempotentRequest(f"{tenant}.{digest}" if request_id else "", fingerprint)


class IdempotencyStore:
    """The ids that callers gave to their requests, and what these created.

    The record of a request is written before what it creates. A service that dies between the two leaves an id that
    leads nowhere; the repeated request finds it and creates the resource under that very id. One that leads nowhere for
    longer than a request takes is removed by the maintenance.
    """

    def __init__(self, bus: Bus) -> None:
        self._records = RecordStore(bus, topology.REQUESTS_BUCKET, RequestRecord)

    async def find(self, request: IdempotentRequest) -> str | None:
        """The id of what the request created, or was about to create, when it came before.

        Raises:
            TiroError: INVALID_ARGUMENT; the `request_id` was used before with other content.
        """
        if not request.key:
            return None
        known = await self._records.get(request.key)
        if known is None:
            return None
        if known.value.fingerprint != request.fingerprint:
            raise _reused()
        return known.value.resource_id

    async def reserve(self, request: IdempotentRequest) -> str:
        """The id for what the request is about to create: a new one, or the one it has already.

        The record is written anew also where it is there: one that has just been written is not taken for one that
        leads nowhere.

        Raises:
            TiroError: As `find`.
            Conflict: Other calls with this `request_id` were faster every time.
        """
        if not request.key:
            return new_id()
        for _ in range(RESERVE_TRIES_MAX):
            known = await self._records.get(request.key)
            try:
                if known is None:
                    record = RequestRecord(resource_id=new_id(), fingerprint=request.fingerprint)
                    return (await self._records.create(request.key, record)).value.resource_id
                if known.value.fingerprint != request.fingerprint:
                    raise _reused()
                return (await self._records.update(request.key, known.value, known)).value.resource_id
            except Conflict:
                continue
        raise Conflict(request.key)

    async def release(self, key: str, resource_id: str) -> None:
        """Forget a request, because what it created is deleted. Nothing happens where it leads elsewhere by now.

        Args:
            key: Where its record is. Empty: the request had no `request_id`.
            resource_id: What it created.
        """
        if not key:
            return
        known = await self._records.get(key)
        if known is not None and known.value.resource_id == resource_id:
            await self.forget(key, known.revision)

    async def forget(self, key: str, revision: int) -> None:
        """Forget a request as it was read. One that was repeated since stays."""
        await self._records.purge(key, revision=revision)


def _reused() -> TiroError:
    return invalid_argument(
        reasons.ERROR_REASON_REQUEST_ID_REUSED,
        "this request_id was used before with other content",
        field_path="request_id",
    )

"""`request_id`: the same id gives the same resource, also when answers were lost or the service died in between."""

import hashlib
from contextlib import suppress
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
"""How often a call is tried again because another one with the same `request_id` was faster."""


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A request that its caller may repeat."""

    key: str
    """The key of its record. Empty when it has no `request_id`."""
    fingerprint: bytes
    """SHA-256 of the request: the same id with another request is refused."""


def idempotent_request(tenant: str, method: str, request_id: str, request: Message) -> IdempotentRequest:
    """The key and fingerprint of a request. The same id in another method or tenant has another key.

    Args:
        tenant: The tenant of the request.
        method: The method that was called.
        request_id: The caller's id. The key has its hash, because a caller's text could be another tenant's key.
        request: The whole request.
    """
    digest = hashlib.sha256(b"\0".join((method.encode(), request_id.encode()))).hexdigest()
    fingerprint = hashlib.sha256(request.SerializeToString(deterministic=True)).digest()
    return IdempotentRequest(f"{tenant}.{digest}" if request_id else "", fingerprint)


class IdempotencyStore:
    """The ids that callers gave to their requests, and the resources that these created.

    The record of a request is written before its resource. A service that dies between the two leaves a record without
    a resource; the repeated request finds it and creates the resource with the recorded id. Maintenance removes a
    record that has no resource for longer than a request takes.
    """

    def __init__(self, bus: Bus) -> None:
        self._records = RecordStore(bus, topology.REQUESTS_BUCKET, RequestRecord)

    async def find(self, request: IdempotentRequest) -> str | None:
        """The id of the resource that an earlier request created or was about to create. None: it is the first request.

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
        """The id for the resource that the request is about to create: a new one, or the recorded one.

        The record is written again also where it exists, so that maintenance does not take it for one without a
        resource.

        Raises:
            TiroError: As `find`.
            Conflict: Another call with this `request_id` was faster at every try.
        """
        if not request.key:
            return new_id()
        for _ in range(RESERVE_TRIES_MAX):
            with suppress(Conflict):  # most requests are first ones, so their record is not read before it is written
                record = RequestRecord(resource_id=new_id(), fingerprint=request.fingerprint)
                return (await self._records.create(request.key, record)).value.resource_id
            known = await self._records.get(request.key)
            if known is None:
                continue
            if known.value.fingerprint != request.fingerprint:
                raise _reused()
            with suppress(Conflict):
                return (await self._records.update(request.key, known.value, known)).value.resource_id
        raise Conflict(request.key)

    async def release(self, key: str, resource_id: str) -> None:
        """Remove the record of a request whose resource is deleted, unless it names another resource by now.

        Args:
            key: The key of the record. Empty: the request had no `request_id`.
            resource_id: The id of the resource.
        """
        if not key:
            return
        known = await self._records.get(key)
        if known is not None and known.value.resource_id == resource_id:
            await self.forget(key, known.revision)

    async def forget(self, key: str, revision: int) -> None:
        """Remove the record of a request, unless it was written since."""
        await self._records.purge(key, revision=revision)


def _reused() -> TiroError:
    return invalid_argument(
        reasons.ERROR_REASON_REQUEST_ID_REUSED,
        "this request_id was used before with other content",
        field_path="request_id",
    )

"""How claiming a record can end, for jobs and sessions alike."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from tiro.events.v1.live_pb2 import SessionRecord
from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro_core.leases.owned_record import OwnedRecord

R = TypeVar("R", bound=TranscriptionRecord | SessionRecord)


@dataclass(frozen=True, slots=True)
class Claimed(Generic[R]):
    """The record is ours."""

    owned: OwnedRecord[R]


@dataclass(frozen=True, slots=True)
class Deferred:
    """It is not for us now: another worker has it and is alive as far as its lease goes, or we have no room."""

    retry_in: timedelta


@dataclass(frozen=True, slots=True)
class Terminal(Generic[R]):
    """It wants no worker: it is over, as the record says, or there is no record."""

    record: R | None

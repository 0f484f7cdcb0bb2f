"""The states of a job, and the legal transitions between them. `docs/jobs.md` has the same table for readers."""

from collections.abc import Mapping

from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.transcription.v1.transcription_pb2 import Callback, Transcription
from tiro_core.clock import after, now

State = Transcription.State

TERMINAL = frozenset({State.STATE_SUCCEEDED, State.STATE_FAILED, State.STATE_CANCELLED})
"""States in which a job is over: they have no transitions."""

TRANSITIONS: Mapping["State.ValueType", frozenset["State.ValueType"]] = {
    State.STATE_UNSPECIFIED: frozenset({State.STATE_FETCHING, State.STATE_QUEUED}),
    State.STATE_FETCHING: frozenset(
        {State.STATE_FETCHING, State.STATE_QUEUED, State.STATE_FAILED, State.STATE_CANCELLED}
    ),
    State.STATE_QUEUED: frozenset({State.STATE_RUNNING, State.STATE_FAILED, State.STATE_CANCELLED}),
    State.STATE_RUNNING: frozenset(
        {
            State.STATE_RUNNING,
            State.STATE_QUEUED,
            State.STATE_SUCCEEDED,
            State.STATE_FAILED,
            State.STATE_CANCELLED,
        }
    ),
    State.STATE_SUCCEEDED: frozenset(),
    State.STATE_FAILED: frozenset(),
    State.STATE_CANCELLED: frozenset(),
}
"""The states that each state may change to. UNSPECIFIED is a job before its creation. FETCHING and RUNNING change to
themselves when another owner takes over from one that is lost."""


class IllegalTransition(Exception):  # noqa: N818 - reads as the condition it reports
    """The table has no such transition. Always a bug."""


def enter(record: TranscriptionRecord, state: "State.ValueType") -> None:
    """Change a job's state, and the fields that follow from it: a job that is over has no lease, and has expiry times.

    Raises:
        IllegalTransition: The table has no such transition.
    """
    if state not in TRANSITIONS[record.state]:
        raise IllegalTransition(f"{State.Name(record.state)} does not lead to {State.Name(state)}")
    record.state = state
    if state not in (State.STATE_RUNNING, State.STATE_FETCHING):
        record.ClearField("lease")
    if state in TERMINAL:
        record.end_time.CopyFrom(now())
        record.expire_time.CopyFrom(after(record.end_time, record.ttl))
        record.audio_expire_time.CopyFrom(after(record.end_time, record.audio_ttl))
        if record.HasField("callback"):
            record.callback.state = Callback.STATE_PENDING


def state_name(record: TranscriptionRecord) -> str:
    """A job's state as callers read it, as in `RUNNING`."""
    return State.Name(record.state).removeprefix("STATE_")

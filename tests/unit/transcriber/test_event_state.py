"""The state of a live session from its event log: a checkpoint and later events equal the whole log."""

from collections.abc import Sequence

from hypothesis import event as note
from hypothesis import given
from hypothesis import strategies as st

from tiro.events.v1.live_pb2 import (
    Checkpoint,
    LiveConfigUpdated,
    LiveContext,
    LiveEnded,
    LiveEvent,
    OwnerChanged,
    SessionRecord,
    UtteranceEnded,
)
from tiro.events.v1.route_pb2 import Route
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.speech.v1.transcript_pb2 import Segment
from tiro_transcriber.sessions.checkpoint import CheckpointTracker
from tiro_transcriber.sessions.event_state import EventState

STREAM_STEP = 3
"""Distance of two events of a session in the stream: events of other sessions are between them."""


def final(sample: int, context_from: int | None) -> LiveEvent:
    """A final that ends at a sample, with context from `context_from` on unless None."""
    event = LiveEvent(final=Segment(text="x"), resume_sample=sample)
    if context_from is not None:
        event.context.CopyFrom(LiveContext(first_sample=context_from, text=str(sample)))
    return event


def config(sample: int, hotword: str) -> LiveEvent:
    """A change of the config."""
    recognition = RecognitionConfig(hotwords=[hotword])
    return LiveEvent(config_updated=LiveConfigUpdated(sample=sample, recognition=recognition))


@st.composite
def events(draw: st.DrawFn, sample: int, finals_end: int) -> LiveEvent:
    """An event of a session at a sample, after finals that end at `finals_end`."""
    route = Route(engine=draw(st.sampled_from(["a", "b"])), model="m")
    owner = OwnerChanged(route=route, engine_changed=draw(st.booleans()))
    context_from = draw(st.none() | st.integers(finals_end, sample))
    return draw(
        st.sampled_from(
            [
                LiveEvent(owner_changed=owner),
                final(sample, context_from),
                LiveEvent(speech_started_sample=sample),
                LiveEvent(speech_ended_sample=sample),
                LiveEvent(utterance_ended=UtteranceEnded(sample=sample)),
                config(sample, "a"),
                config(sample, "b"),
            ]
        )
    )


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[LiveEvent], list[int]]:
    """A session: its events, and after each event the sample up to which all is settled."""
    log: list[LiveEvent] = []
    settled: list[int] = []
    sample = finals_end = answered = 0
    for number in range(draw(st.integers(1, 25))):
        sample += draw(st.integers(0, 5))
        event = draw(events(sample, finals_end))
        finals_end = event.resume_sample or finals_end
        if event.HasField("config_updated") or event.HasField("utterance_ended"):
            answered += draw(st.integers(0, 1))
            event.answered_controls = answered
        event.sequence = number + 1
        log.append(event)
        # Settled audio is final and not context, or silence: it may end before the last final, or after it.
        settled.append(draw(st.integers(settled[-1] if settled else 0, max(sample, settled[-1] if settled else 0))))
    if draw(st.booleans()):
        log.append(LiveEvent(sequence=len(log) + 1, ended=LiveEnded(final_count=1)))
        settled.append(settled[-1])
    return log, settled


def state_from(checkpoint: Checkpoint, log: Sequence[LiveEvent]) -> tuple[object, ...]:
    """The state of a new owner, as `SessionOutput.take_over` reads it."""
    state = EventState()
    state.restart(checkpoint.events if checkpoint.HasField("events") else None)
    state.settle(checkpoint.sample)
    for number, event in enumerate(log, 1):
        if number * STREAM_STEP > state.stream_sequence:
            state.apply(event, number * STREAM_STEP)
        if number * STREAM_STEP == state.stream_sequence:
            assert state.sequence == number
    return (
        state.sequence,
        state.stream_sequence,
        state.next_sample,
        state.context,
        state.config,
        state.final_count,
        state.answered_controls,
        state.speaking,
        state.utterance_ended_sample,
        state.route,
        state.engine_changed,
        state.ended,
    )


@given(history=histories(), renewed=st.sets(st.integers(0, 25), min_size=5), killed=st.integers(0, 50))
def test_a_checkpoint_and_later_events_equal_the_whole_log(
    history: tuple[list[LiveEvent], list[int]], renewed: set[int], killed: int
) -> None:
    """The state is the same for any events, any renewals of the lease, and any time of the owner's death."""
    log, settled = history
    state = EventState()
    tracker = CheckpointTracker(Checkpoint(), state)
    record = SessionRecord()
    tracker.write_to(record)
    for number, (event, sample) in enumerate(zip(log, settled, strict=True)):
        state.apply(event, (number + 1) * STREAM_STEP)
        if sample > tracker.sample:
            tracker.advance(sample, number)
        if number in renewed:
            tracker.write_to(record)
        if number == killed:
            break
    checkpoint, log = record.checkpoint, log[: killed + 1]
    note(f"from event {checkpoint.events.sequence}" if checkpoint.HasField("events") else "from the beginning")
    whole = Checkpoint(sample=checkpoint.sample)
    assert state_from(checkpoint, log) == state_from(whole, log)


def test_the_checkpoint_stays_before_a_config_that_applies_later() -> None:
    """The next owner decodes from the last final with the config of that time, and then reads the later config."""
    state = EventState()
    tracker = CheckpointTracker(Checkpoint(), state)
    record = SessionRecord()
    state.apply(LiveEvent(sequence=1, owner_changed=OwnerChanged()), 7)
    tracker.write_to(record)
    assert record.checkpoint.events.sequence == 1
    changed = config(500, "Tiro")
    changed.sequence = 2
    state.apply(changed, 9)
    tracker.write_to(record)
    assert (record.checkpoint.events.sequence, record.checkpoint.events.HasField("config")) == (1, False)
    state.apply(LiveEvent(sequence=3, final=Segment(text="w"), resume_sample=800), 12)
    tracker.write_to(record)
    assert (record.checkpoint.events.sequence, record.checkpoint.events.stream_sequence) == (3, 12)
    assert record.checkpoint.events.config == changed.config_updated


def test_the_end_of_a_session_is_not_in_a_checkpoint() -> None:
    """The next owner must read the end, which is the last event, from the log."""
    state = EventState()
    tracker = CheckpointTracker(Checkpoint(), state)
    record = SessionRecord()
    state.apply(LiveEvent(sequence=1, owner_changed=OwnerChanged()), 1)
    state.apply(LiveEvent(sequence=2, ended=LiveEnded()), 2)
    tracker.write_to(record)
    assert not record.checkpoint.HasField("events")


def context_of(state: EventState) -> LiveContext | None:
    """The present context. A call, because mypy takes the attribute as unchanged."""
    return state.context


def test_the_state_after_a_log() -> None:
    """The state has finals, controls, the owner's route, and the context until it is settled."""
    state = EventState()
    assert (state.next_sample, state.context, state.config, state.route) == (0, None, None, None)
    assert (state.utterance_ended_sample, state.speaking, state.engine_changed) == (-1, False, False)
    route = Route(engine="a", model="m")
    changed = config(150, "a")
    changed.answered_controls = 3
    log = [
        LiveEvent(owner_changed=OwnerChanged(route=route, engine_changed=True)),
        LiveEvent(speech_started_sample=100),
        final(400, context_from=300),
        LiveEvent(utterance_ended=UtteranceEnded(sample=420), answered_controls=2),
        changed,
        LiveEvent(owner_changed=OwnerChanged()),
    ]
    for number, event in enumerate(log, 1):
        event.sequence = number
        state.apply(event, number)
    assert (state.sequence, state.final_count, state.answered_controls) == (6, 1, 3)
    assert (state.next_sample, state.utterance_ended_sample) == (400, 420)
    assert (state.speaking, state.engine_changed, state.route) == (True, True, route)
    assert state.config == changed.config_updated
    state.settle(300)
    assert context_of(state) == LiveContext(first_sample=300, text="400")
    state.settle(400)
    assert state.next_sample == 400
    assert context_of(state) is None
    state.settle(1000)
    assert state.next_sample == 1000
    state.apply(final(1200, context_from=None), 7)
    assert (state.next_sample, state.answered_controls) == (1200, 3)
    assert context_of(state) is None

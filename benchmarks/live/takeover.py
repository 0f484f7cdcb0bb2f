"""The time in which a new owner of a live session reads the state that previous owners have published.

From the whole event log, and from a checkpoint with the events of the last utterance after it, in turns.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.shared.report import table
from tests.support.nats import running_nats
from tiro.events.v1.live_pb2 import LiveContext, LiveEvent, OwnerChanged, SessionRecord, UtteranceEnded
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.speech.v1.transcript_pb2 import Segment, Word
from tiro_core.clock import duration
from tiro_core.ids import new_id
from tiro_core.messaging import subjects
from tiro_core.messaging.connection import Bus, open_bus
from tiro_core.messaging.publishing import publish
from tiro_core.messaging.topology import ensure_streams
from tiro_core.settings import CoreSettings
from tiro_transcriber.sessions.event_state import EventState
from tiro_transcriber.sessions.output import SessionOutput

FINALS = (100, 1_000, 10_000)
"""Finals of a session; the last number is a working day of speech."""
ROUNDS = 5
WORDS = 20
SECONDS = 5
RATE = 16_000
PUBLISHED_AT_ONCE = 64


def _utterance(number: int, sequence: int) -> Sequence[LiveEvent]:
    """Four events: speech begins and ends, a final with words and context, the end of the utterance."""
    begin, end = number * SECONDS, (number + 1) * SECONDS
    words = [
        Word(text=f"word{index}", start_offset=duration(begin), end_offset=duration(end), confidence=0.9, stable=True)
        for index in range(WORDS)
    ]
    text = " ".join(word.text for word in words)
    final = Segment(text=text, start_offset=duration(begin), end_offset=duration(end), words=words, language_code="en")
    context = LiveContext(first_sample=begin * RATE, text=text)
    events = [
        LiveEvent(speech_started_sample=begin * RATE),
        LiveEvent(speech_ended_sample=end * RATE),
        LiveEvent(final=final, resume_sample=end * RATE, context=context),
        LiveEvent(utterance_ended=UtteranceEnded(sample=end * RATE)),
    ]
    for index, event in enumerate(events):
        event.sequence = sequence + index
    return events


async def _session(bus: Bus, finals: int) -> SessionRecord:
    """A session with this many finals, and its checkpoint before the last one."""
    session = SessionRecord(
        tenant="bench",
        session_id=new_id(),
        epoch=1,
        sample_rate_hertz=RATE,
        recognition=RecognitionConfig(engine="fake", model="markers"),
    )
    subject = subjects.live_events(session.tenant, session.session_id)
    state = EventState()
    events = [LiveEvent(sequence=1, owner_changed=OwnerChanged())]
    for number in range(finals):
        events += _utterance(number, len(events) + 1)
    for first in range(0, len(events), PUBLISHED_AT_ONCE):
        some = events[first : first + PUBLISHED_AT_ONCE]
        stored = [await publish(bus, subject, event.SerializeToString()) for event in some]
        for event, sequence in zip(some, stored, strict=True):
            if event.sequence <= len(events) - 4:
                state.apply(event, sequence)
    snapshot = state.snapshot()
    if snapshot is None:
        raise AssertionError("a state without a change of config is always whole")
    session.checkpoint.events.CopyFrom(snapshot)
    return session


async def _take_over(bus: Bus, session: SessionRecord) -> float:
    """One takeover, in seconds."""
    session.epoch += 1
    output = SessionOutput(bus, session)
    begun = time.perf_counter()
    await output.take_over("worker")
    return time.perf_counter() - begun


async def _measure(rounds: int) -> str:
    rows: list[Sequence[object]] = []
    with tempfile.TemporaryDirectory() as folder, running_nats(Path(folder)) as server:
        settings = CoreSettings(nats_url=server.url, nats_monitor_url=server.monitor_url)
        async with open_bus(settings, "bench") as bus:
            await ensure_streams(bus, settings.nats_replicas)
            for finals in FINALS:
                noted = await _session(bus, finals)
                unnoted = SessionRecord()
                unnoted.CopyFrom(noted)
                unnoted.ClearField("checkpoint")
                whole: list[float] = []
                checkpoint: list[float] = []
                for _ in range(rounds):
                    whole.append(await _take_over(bus, unnoted))
                    checkpoint.append(await _take_over(bus, noted))
                size = noted.checkpoint.ByteSize()
                rows.append([finals, *(f"{1e3 * statistics.median(times):.1f}" for times in (whole, checkpoint)), size])
    return table(
        [
            "finals so far",
            "from the whole event log (ms)",
            "from the checkpoint (ms)",
            "size of the checkpoint (bytes)",
        ],
        rows,
    )


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add options of this benchmark."""
    parser.add_argument("--rounds", type=int, default=ROUNDS)


def run(arguments: argparse.Namespace) -> str:
    """Measure, and return the table."""
    return (
        "The time until a new owner has read the state that previous owners have published, and has fenced them; "
        f"medians of {arguments.rounds}, in turns.\n\n{asyncio.run(_measure(arguments.rounds))}"
    )

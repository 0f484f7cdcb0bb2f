"""Kills during word markers: every word is counted."""

import argparse
import itertools
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.kills.deployment import Deployment
from benchmarks.kills.killing import Killing, Speakers
from benchmarks.kills.speaker import Spoken
from benchmarks.kills.speech import marker_speech
from benchmarks.kills.tables import TOTAL_HEADS, failures, pauses, totals
from benchmarks.shared.report import table
from tiro_client import AsyncClient

SENTENCES = 10
"""Of one session: about half a minute."""
WORDS_APART = 1000
"""Between the first words of two sessions, so that no word is spoken in both."""


@dataclass(slots=True)
class Count:
    """Over all sessions."""

    spoken: int = 0
    lost: int = 0
    repeated: int = 0
    foreign: int = 0
    """Words of another session, or of none."""
    misplaced: int = 0
    """Sessions that have every word once, in another order."""
    notes: list[str] = field(default_factory=list)
    """Descriptions of the faults."""


async def measure(deployment: Deployment, asked: argparse.Namespace) -> str:
    """Kill as often as asked, and return the tables."""
    rng = random.Random(asked.seed)
    firsts = itertools.count(0, WORDS_APART)
    speakers = Speakers("fake", "markers", asked.marker_sessions, lambda: marker_speech(rng, next(firsts), SENTENCES))
    async with AsyncClient(streaming_address=deployment.streaming_address) as client:
        killing = Killing(deployment, client, speakers, kills=asked.kills, seed=asked.seed)
        await killing.run()
    counted = count(killing.spoken)
    heads = [*TOTAL_HEADS, "words spoken", "lost", "repeated", "of others", "sessions out of order"]
    row = [
        *totals(killing),
        counted.spoken,
        counted.lost,
        counted.repeated,
        counted.foreign,
        counted.misplaced,
    ]
    title = f"Word markers, {asked.workers} workers, {asked.marker_sessions} sessions at a time, seed {asked.seed}:"
    return "\n\n".join([title, table(heads, [row]), pauses(killing), *counted.notes, *failures(killing.spoken)])


def count(sessions: Sequence[Spoken]) -> Count:
    """Compare the recognized words with the spoken ones."""
    total = Count()
    for one in sessions:
        spoken_words, recognized = [word.text for word in one.speech.words], [word.text for word in one.words]
        total.spoken += len(spoken_words)
        if spoken_words == recognized:
            continue
        lost, more = Counter(spoken_words) - Counter(recognized), Counter(recognized) - Counter(spoken_words)
        repeated = sum(number for text, number in more.items() if text in set(spoken_words))
        total.lost += lost.total()
        total.repeated += repeated
        total.foreign += more.total() - repeated
        total.misplaced += not lost and not more
        lacking, surplus = " ".join(lost) or "nothing", " ".join(more.elements()) or "nothing"
        total.notes.append(f"session {one.session_id}: lost {lacking}; too many {surplus}")
    return total

"""Kills during real speech: the text around a kill against that of the same audio without one."""

import argparse
import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass

from faster_whisper import decode_audio

from benchmarks.kills.comparison import AROUND_SECONDS, Difference, differences
from benchmarks.kills.deployment import Deployment
from benchmarks.kills.killing import Hit, Killing, Speakers
from benchmarks.kills.speaker import Spoken
from benchmarks.kills.speech import Speech, SpokenWord
from benchmarks.kills.tables import TOTAL_HEADS, failures, pauses, totals
from benchmarks.shared.report import table
from tiro_client import AsyncClient
from tiro_client.transcript import Word
from tiro_engines.interface import SAMPLE_RATE

ENGINE = "faster-whisper"
UNKILLED = 3
"""Sessions without a kill. Where they differ from each other, any of their texts is right."""
SHOWN_MAX = 20
"""Differences that are printed."""


@dataclass(frozen=True, slots=True)
class Compared:
    """All sessions against those without a kill."""

    around: list[tuple[Hit, Difference]]
    """Differences around a kill, with the hit that is nearest."""
    elsewhere: list[Difference]


async def measure(deployment: Deployment, asked: argparse.Namespace) -> str:
    """Kill as often as asked, and return the tables."""
    samples = await asyncio.to_thread(decode_audio, str(asked.recording), sampling_rate=SAMPLE_RATE)
    pcm16 = (samples * 32767).astype("<i2").tobytes()
    async with AsyncClient(streaming_address=deployment.streaming_address) as client:
        unkilled = [Spoken(Speech(pcm16, [])) for _ in range(UNKILLED)]
        await asyncio.gather(*(one.run(client, ENGINE, asked.model) for one in unkilled))
        texts = [one.words for one in unkilled]
        spoken = [SpokenWord(word.text, word.start_seconds, word.end_seconds) for word in texts[0]]
        speakers = Speakers(ENGINE, asked.model, asked.speech_sessions, lambda: Speech(pcm16, spoken))
        killing = Killing(deployment, client, speakers, kills=asked.kills, seed=asked.seed)
        await killing.run()
    length = f"{len(samples) / SAMPLE_RATE:.0f} s"
    title = (
        f"{asked.recording.name}, {length}, {asked.model}, {asked.workers} workers, "
        f"{asked.speech_sessions} sessions at a time, seed {asked.seed}:"
    )
    return "\n\n".join([title, *_tables(killing, texts), *failures([*unkilled, *killing.spoken])])


def compare(killing: Killing, texts: Sequence[Sequence[Word]]) -> Compared:
    """Compare each session with the most similar text without a kill, and relate the differences to the kills."""
    hits = [hit for some in killing.hits for hit in some]
    compared = Compared([], [])
    for one in killing.spoken:
        for difference in min((differences(text, one.words) for text in texts), key=len):
            by_distance = {difference.distance(hit.at_seconds): hit for hit in hits if hit.spoken is one}
            nearest = min(by_distance, default=math.inf)
            if nearest <= AROUND_SECONDS:
                compared.around.append((by_distance[nearest], difference))
            else:
                compared.elsewhere.append(difference)
    return compared


def _tables(killing: Killing, texts: Sequence[Sequence[Word]]) -> list[str]:
    compared = compare(killing, texts)
    unkilled = sum(bool(differences(texts[0], text)) for text in texts[1:])
    heads = [
        *TOTAL_HEADS,
        "kills with word differences around",
        "with punctuation differences only",
        "differences elsewhere",
        "unkilled sessions that differ",
    ]
    row = [*totals(killing), *_kills_with(killing, compared), len(compared.elsewhere), f"{unkilled} of {len(texts)}"]
    shown = [f"Killed at {hit.at_seconds:.1f} s of the audio; {difference}" for hit, difference in compared.around]
    shown += [f"Not around a kill; {difference}" for difference in compared.elsewhere]
    return [table(heads, [row]), pauses(killing), *shown[:SHOWN_MAX]]


def _kills_with(killing: Killing, compared: Compared) -> tuple[int, int]:
    """The numbers of kills with word differences around them, and with punctuation differences only."""
    other = {id(hit): False for hit, _ in compared.around}
    for hit, difference in compared.around:
        other[id(hit)] |= difference.changes_words
    words = [any(other.get(id(hit)) for hit in hits) for hits in killing.hits]
    anything = [any(id(hit) in other for hit in hits) for hits in killing.hits]
    return sum(words), sum(anything) - sum(words)

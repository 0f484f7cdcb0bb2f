"""Recordings to measure with: a folder with a MANIFEST.jsonl, one JSON object in a line."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jiwer
from whisper_normalizer.basic import BasicTextNormalizer
from whisper_normalizer.english import EnglishTextNormalizer

SCORED_TIERS = ("gold", "known-text")
"""References that are trusted enough to be scored: the text of a data set or script, or a published one."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One line of a manifest."""

    path: Path
    seconds: float
    language: str
    reference: str
    scored: bool


def load_manifest(manifest: Path, *, language: str, seconds_max: float, files_max: int) -> list[Recording]:
    """The recordings in one language with speech and a reference to score, in the order of the manifest."""
    found = []
    for line in manifest.read_text().splitlines():
        entry = json.loads(line)
        if entry["seconds"] is None:
            continue
        recording = Recording(
            manifest.parent / entry["file"],
            float(entry["seconds"]),
            entry["lang"],
            entry["ref"],
            entry["ref_tier"] in SCORED_TIERS and not entry["expect_empty"],
        )
        if recording.language == language and recording.scored and recording.seconds <= seconds_max:
            found.append(recording)
    return found[:files_max]


def load_silent(manifest: Path) -> list[Path]:
    """The recordings without speech: any word is invented."""
    entries = map(json.loads, manifest.read_text().splitlines())
    return [manifest.parent / entry["file"] for entry in entries if entry["expect_empty"]]


def word_error_rate(references: list[str], hypotheses: list[str], language: str) -> float:
    """Word error rate over all texts together, after Whisper's normalizer for the language."""
    normalize: Callable[[str], str] = EnglishTextNormalizer() if language == "en" else BasicTextNormalizer()
    pairs = [(normalize(a), normalize(b)) for a, b in zip(references, hypotheses, strict=True)]
    return float(jiwer.wer([a for a, _ in pairs], [b for _, b in pairs]))

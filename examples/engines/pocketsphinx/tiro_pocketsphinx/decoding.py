"""PocketSphinx's decoders. Each decodes one window at a time. Equal windows give equal words."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from pocketsphinx import Decoder

from tiro_engines.interface import SAMPLE_RATE, Samples
from tiro_engines.pcm import float32_to_pcm16
from tiro_engines.windowed.decoder import DecodedWord

FRAME_SAMPLES = SAMPLE_RATE // 100
"""The library's unit of time is a hundredth of a second."""
STEP_SAMPLES = SAMPLE_RATE // 10
"""The audio of one call, during which the library holds Python's lock: for 0.03 s. 10 s of audio would hold it for 1 s.

The worker's other threads wait for the lock, among them those that renew leases and serve live streams.
"""
SAMPLES_MIN = SAMPLE_RATE // 10
"""A shorter window has no word."""
_PRONUNCIATION = re.compile(r"\(\d+\)$")
"""The number of a pronunciation in the dictionary, as in `and(2)`."""
_NO_WORD = re.compile(r"^[<\[+]")
"""The first character of entries that are no words: silence, noise, and marks of beginning and end."""


class Decoders:
    """One decoder per window that is decoded at once: 90 MiB and 0.3 s each. Safe to share between threads."""

    def __init__(self) -> None:
        self._idle: list[Decoder] = [_load()]

    def decode(self, samples: Samples) -> tuple[DecodedWord, ...]:
        """The words of a window."""
        if len(samples) < SAMPLES_MIN:
            return ()
        with self._one() as decoder:
            _decode(decoder, float32_to_pcm16(samples).tobytes())
            return tuple(
                _word(found.word, found.start_frame, found.end_frame, found.prob)
                for found in decoder.seg() or ()
                if not _NO_WORD.match(found.word)
            )

    def close(self) -> None:
        """Free them all."""
        self._idle.clear()

    @contextmanager
    def _one(self) -> Iterator[Decoder]:
        try:
            decoder = self._idle.pop()
        except IndexError:
            decoder = _load()
        try:
            yield decoder
        finally:
            self._idle.append(decoder)


def _load() -> Decoder:
    # Without the second pass, which finds the same words and holds Python's lock for a quarter of a second.
    return Decoder(loglevel="FATAL", fwdflat=False)


def _decode(decoder: Decoder, pcm: bytes) -> None:
    decoder.reinit_feat()  # else the loudness of the previous window would change the words of this one
    decoder.start_utt()
    for begin in range(0, len(pcm), 2 * STEP_SAMPLES):
        decoder.process_raw(pcm[begin : begin + 2 * STEP_SAMPLES])
    decoder.end_utt()


def _word(text: str, first: int, last: int, probability: float) -> DecodedWord:
    return DecodedWord(
        f" {_PRONUNCIATION.sub('', text)}",
        first * FRAME_SAMPLES,
        (last + 1) * FRAME_SAMPLES,
        min(1.0, probability),  # rounding can exceed 1
    )

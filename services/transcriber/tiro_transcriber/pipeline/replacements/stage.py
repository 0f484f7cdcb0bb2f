"""Replacements: words and phrases of the transcript that the caller wants written differently.

`Replacement` in `tiro/speech/v1/recognition.proto` says what matches.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.transcription.v1.transcription_pb2 import TranscriptionOptions
from tiro_engines.interface import Capability, Segment, Word
from tiro_transcriber.pipeline.replacements.phrases import Match, Phrases
from tiro_transcriber.pipeline.word_spans import WordSpan, joined, locate


class ReplacementsType:
    """The stage `replacements`; see `StageType`."""

    name = "replacements"
    feature = Capability.CAPABILITY_REPLACEMENTS

    def open(self, config: RecognitionConfig, options: TranscriptionOptions) -> "Replacements | None":  # noqa: ARG002
        """The stage. None where the request has no replacements."""
        if not config.replacements:
            return None
        return Replacements(Phrases((pair.find, pair.replace) for pair in config.replacements))


class Replacements:
    """Replaces phrases in segments; see `Stage`."""

    def __init__(self, phrases: Phrases) -> None:
        self._phrases = phrases

    def process(self, segment: Segment, *, is_final: bool) -> Segment:
        """Replace the phrases in the text and in the words of a segment; see `Stage.process`."""
        text, spans = segment.text, locate(segment.words, segment.text)
        if spans is None:  # the engine's words differ from its text
            text, spans = joined(segment.words)
        found = self._phrases.find(text, stable_end=_stable_end(spans))
        settled = len(text) if is_final else found.settled
        words = tuple(_replaced_words(spans, text, found.matches, settled))
        if text != segment.text:
            text, found = segment.text, self._phrases.find(segment.text)
        return replace(segment, text=_replaced(text, found.matches), words=words)


def _stable_end(spans: Sequence[WordSpan]) -> int:
    """The index after the last stable word before which all words are stable."""
    end = 0
    for span in spans:
        if not span.word.stable:
            break
        end = span.end
    return end


def _replaced(text: str, matches: Sequence[Match], start: int = 0, end: int | None = None) -> str:
    """A part of a text with its matches replaced. All matches must be in that part."""
    pieces: list[str] = []
    for match in matches:
        pieces += [text[start : match.start], match.replacement]
        start = match.end
    return "".join([*pieces, text[start:end]])


def _replaced_words(spans: Sequence[WordSpan], text: str, matches: Sequence[Match], settled: int) -> Iterator[Word]:
    """The words of a text with its matches replaced.

    Args:
        spans: The words in the text.
        text: The text.
        matches: The matches in the text, in order.
        settled: Words that end after this character are not stable.
    """
    for group, within in _groups(spans, matches):
        is_stable = group[-1].end <= settled
        if within:
            yield from _new_words(group, _replaced(text, within, group[0].start, group[-1].end), is_stable=is_stable)
        else:
            yield from (span.word if is_stable else replace(span.word, stable=False) for span in group)


def _groups(
    spans: Sequence[WordSpan], matches: Sequence[Match]
) -> Iterator[tuple[Sequence[WordSpan], Sequence[Match]]]:
    """Groups of words, each with its matches: words that share a match are in one group."""
    waiting = list(reversed(matches))
    group: list[WordSpan] = []
    within: list[Match] = []
    for span in spans:
        while waiting and waiting[-1].end <= span.start:  # a match between two words
            waiting.pop()
        group.append(span)
        while waiting and waiting[-1].start < span.end:
            within.append(waiting.pop())
        if not within or within[-1].end <= span.end:
            yield group, within
            group, within = [], []
    if group:
        yield group, within


def _new_words(group: Sequence[WordSpan], text: str, *, is_stable: bool) -> Iterator[Word]:
    """The words of a replacement: they share the time of the replaced words in proportion to their lengths."""
    parts = text.split()
    length = sum(len(part) for part in parts)
    start, duration = group[0].word.start, group[-1].word.end - group[0].word.start
    probability = min(span.word.probability for span in group)
    done = 0
    for part in parts:
        begin = start + duration * done // length
        done += len(part)
        yield Word(part, begin, start + duration * done // length, probability, is_stable)

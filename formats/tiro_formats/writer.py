"""The interface of an output format: what a module in `tiro_formats.writers` implements."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from tiro.speech.v1.transcript_pb2 import Segment, Transcript
from tiro.transcription.v1.transcription_service_pb2 import TranscriptFormat
from tiro_formats.cues import Cue

TextFormat = Literal["txt", "srt", "vtt", "tsv", "json", "verbose_json", "words"]
"""The names of all output formats. This is the only list: `tiro_formats.writers` has a module of each name."""


@dataclass(frozen=True, slots=True)
class Page:
    """Consecutive segments of a transcript, and their position in it."""

    transcript: Transcript
    """The transcript's metadata: engine, model, language, warnings."""
    segments: Sequence[Segment]
    """The segments, in order. Empty only on the single page of a transcript without segments."""
    is_first: bool
    """Whether no page of the same round is before it."""
    is_last: bool
    """Whether no page of the same round is after it."""
    cues: Sequence[Cue] = ()
    """The subtitle cues of the segments, in order. Empty unless the writer `uses_cues`."""
    cues_before: int = 0
    """The number of cues on the pages before this one. 0 unless the writer `uses_cues`."""
    segments_before: int = 0
    """The number of segments on the pages of the same round before this one."""
    words_before: int = 0
    """The number of words on these pages. 0 for a writer that `uses_cues`."""
    round: int = 0
    """The round, from 0 to `TranscriptWriter.rounds` - 1."""


class TranscriptWriter(ABC):
    """Writes one output format.

    A writer has no state: the pages of one transcript may be written by different processes, minutes apart. So the text
    of a page may depend only on the `Page`.
    """

    name: ClassVar[TextFormat]
    """The name by which callers ask for the format."""
    enum_value: ClassVar["TranscriptFormat.ValueType"]
    """The format in the contract."""
    file_suffix: ClassVar[str]
    """The ending of a file name, with its dot."""
    media_type: ClassVar[str]
    """The IANA media type of the text, which is UTF-8. The closest registered one where the format has none."""
    needs_words: ClassVar[bool] = False
    """Whether the format can only be written of a transcript with word timestamps."""
    uses_cues: ClassVar[bool] = False
    """Whether the format is made of subtitle cues, so that `SubtitleOptions` apply to it."""

    rounds: ClassVar[int] = 1
    """How often the segments are written from first to last. Formats with several lists of them have several rounds."""

    @abstractmethod
    def write(self, page: Page) -> str:
        """A page as text. The pages of a transcript, of any sizes, are the whole file when concatenated."""

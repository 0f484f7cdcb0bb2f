"""The interface of a stage: one step between the engine and the transcript."""

from typing import Protocol

from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.transcription.v1.transcription_pb2 import TranscriptionOptions
from tiro_engines.interface import Feature, Segment


class Stage(Protocol):
    """A stage at work on one recording, part of a recording, or live session.

    Its method blocks. It is called on a thread of its own, for one segment at a time, in the order of time.
    """

    def process(self, segment: Segment, *, is_final: bool) -> Segment:
        """Change a segment, or return it as it is.

        The result depends on this segment and the final ones before it alone, so that another worker that takes the
        session over gives the same. Where it raises or takes too long, the transcript has the segment as it was, with a
        warning.

        Args:
            segment: From the engine, or from the stage before. Times are samples from the beginning of the recording,
                part or session. It has words with times only where the request asks for them.
            is_final: False for a partial of a live session. A word of a partial that stays `stable` must not change
                when the partial grows, whatever follows it, nor in the final.
        """


class StageType(Protocol):
    """A kind of stage, and how a request chooses it."""

    name: str
    """In warnings, logs and metrics."""
    feature: Feature
    """The capability that workers with this stage offer. `tiro_core.routing.options` says which option needs it."""

    def open(self, config: RecognitionConfig, options: TranscriptionOptions) -> Stage | None:
        """The stage as a request asks for it. None where the request does not ask for it. May block.

        Args:
            config: What to recognize with. A live session opens its stages again when it changes.
            options: The options of a job; empty for a live session.
        """

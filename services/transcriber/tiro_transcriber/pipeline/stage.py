"""The interface of a stage: one step between the engine and the transcript."""

from typing import Protocol

from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro.transcription.v1.transcription_pb2 import TranscriptionOptions
from tiro_engines.interface import Feature, Segment


class Stage(Protocol):
    """A stage of the pipeline of one recording, part of a recording, or live session.

    `process` blocks. It is called on a separate thread, for one segment at a time, in the order of time.
    """

    def process(self, segment: Segment, *, is_final: bool) -> Segment:
        """Change a segment, or return it as it is.

        The result depends only on this segment and the final ones before it, so that another worker that takes over the
        session has the same result. If the call raises or takes too long, the transcript has the segment unchanged,
        with a warning.

        Args:
            segment: The segment of the engine or of the stage before. Times are samples from the beginning of the
                recording, part or session. It has words with times only where the request asks for them.
            is_final: False for a partial of a live session. A `stable` word of a partial must not change when more
                words follow it, nor in the final.
        """


class StageType(Protocol):
    """A kind of stage, and how a request chooses it."""

    name: str
    """Its name in warnings, logs and metrics."""
    feature: Feature
    """The capability that workers with this stage offer. `tiro_core.routing.options` says which option needs it."""

    def open(self, config: RecognitionConfig, options: TranscriptionOptions) -> Stage | None:
        """Open the stage for a request. None where the request does not ask for it. May block.

        Args:
            config: The config of the request. A live session opens its stages again when it changes.
            options: The options of a job; empty for a live session.
        """

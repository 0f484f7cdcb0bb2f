"""A live session of an engine, and the updates that it returns."""

from dataclasses import dataclass
from typing import Protocol

from tiro_engines.interface.audio import Samples
from tiro_engines.interface.options import Endpointing, RecognitionOptions
from tiro_engines.interface.results import EngineWarning, Segment


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Voice activity began at this sample."""

    at: int


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """Voice activity ended at this sample."""

    at: int


@dataclass(frozen=True, slots=True)
class Partial:
    """The hypothesis for the audio after the last final. It replaces the partial before it."""

    segment: Segment


@dataclass(frozen=True, slots=True)
class CommittedContext:
    """Final text with the samples in which it is spoken: context for the audio after it."""

    text: str
    start: int
    """Its first sample."""
    end: int
    """The sample after its last one."""


@dataclass(frozen=True, slots=True)
class Final:
    """A segment that will not change. Finals do not overlap, and come in the order of time."""

    segment: Segment
    resume_at: int
    """Everything before this sample is final: a new session that starts here neither loses nor repeats a word.

    It is at or after `segment.end`, because the sound of a word lasts a little longer than its time says.
    """
    context: CommittedContext | None = None
    """The end of the final, as context for the audio after it. A new session gets its audio again. None: no context."""
    warnings: tuple[EngineWarning, ...] = ()
    """Warnings about the session's options, with the first final for which they apply."""


@dataclass(frozen=True, slots=True)
class UtteranceEnd:
    """The speaker paused, or the caller asked to finalize: everything before this sample is final."""

    at: int


SessionUpdate = SpeechStarted | SpeechEnded | Partial | Final | UtteranceEnd


class EngineSession(Protocol):
    """The state of one live session: samples in, updates out, in order.

    Finals depend only on the samples, the options, and the samples at which `finalize` and `configure` were called.
    They do not depend on how the samples were divided into calls, nor (unless stable words are frozen) on when partials
    were decoded.
    """

    @property
    def checkpoint_sample(self) -> int:
        """The first sample that is still needed: what lies before it is final and no context, or had no speech.

        A new session that starts here, with the last final's context if that starts here too, gives the same finals as
        this one would. The number never decreases.
        """

    @property
    def wants_partial(self) -> bool:
        """Whether there is speech that no partial has yet. Always false when the options want no partials."""

    @property
    def seconds_sent(self) -> float:
        """Seconds of audio sent to a service outside, resent audio included. 0 for an engine without one."""

    def advance(self, samples: Samples) -> list[SessionUpdate]:
        """Process the next samples, any number of them, also 0. Returns speech that began or ended, and finals.

        Partials come from `decode_partial`, which the caller calls when there is time for one. An engine whose partials
        cost nothing may return them here as well.
        """

    def decode_partial(self) -> list[SessionUpdate]:
        """Decode the audio after the last final. Returns one partial, or none where the hypothesis has not changed.

        An engine whose service sends results by itself returns finals that have arrived meanwhile before the partial.
        """

    def configure(self, recognition: RecognitionOptions, endpointing: Endpointing) -> None:
        """Use other options from the next sample on.

        Raises:
            UnsupportedLanguage: The capabilities do not have the language. Nothing has changed.
        """

    def finalize(self) -> list[SessionUpdate]:
        """Make everything processed so far final and end the utterance. The session stays usable.

        The last update is always an `UtteranceEnd`, also when there was no speech: the caller waits for that answer.
        """

    def close(self) -> None:
        """Release the session's resources outside. Does not block, and may be called during another call."""

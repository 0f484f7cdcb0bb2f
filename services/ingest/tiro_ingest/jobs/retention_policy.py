"""How long jobs and recordings are kept: the time that a job asks for, or else the deployment's default."""

from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.clock import duration
from tiro_core.errors import invalid_argument


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """The deployment's defaults, in seconds after a job's end, and the longest time that a job may ask for."""

    ttl_seconds: float
    audio_ttl_seconds: float
    ttl_seconds_max: float

    def of(self, job: Transcription) -> tuple[Duration, Duration]:
        """The time for which a job is kept after its end, and the time for its recording, which is not longer.

        Raises:
            TiroError: INVALID_ARGUMENT; the job asks for longer than the deployment keeps jobs.
        """
        asked_ttl = job.ttl if job.HasField("ttl") else None
        asked_audio_ttl = job.audio_ttl if job.HasField("audio_ttl") else None
        ttl = self._seconds("ttl", asked_ttl, self.ttl_seconds)
        audio_ttl = self._seconds("audio_ttl", asked_audio_ttl, self.audio_ttl_seconds)
        return duration(ttl), duration(min(ttl, audio_ttl))

    def _seconds(self, field: str, asked: Duration | None, default: float) -> float:
        if asked is None:
            return default
        seconds = asked.ToNanoseconds() / 1e9
        if seconds > self.ttl_seconds_max:
            raise invalid_argument(
                reasons.ERROR_REASON_INVALID_REQUEST,
                f"the longest time that the deployment allows is {self.ttl_seconds_max:g} s",
                field_path=f"transcription.{field}",
                ttl_seconds_max=f"{self.ttl_seconds_max:g}",
            )
        return seconds

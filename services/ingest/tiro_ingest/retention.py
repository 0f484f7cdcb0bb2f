"""How long jobs and recordings are kept: what a job asks for, or else the deployment's default."""

from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.transcription.v1.transcription_pb2 import Transcription
from tiro_core.clock import duration
from tiro_core.errors import invalid_argument


@dataclass(frozen=True, slots=True)
class Retention:
    """The deployment's defaults, in seconds after a job's end, and the longest that a job may ask for."""

    ttl_seconds: float
    audio_ttl_seconds: float
    ttl_seconds_max: float

    def of(self, job: Transcription) -> tuple[Duration, Duration]:
        """How long a job is kept after its end, and how long its recording, which is never longer.

        Raises:
            TiroError: INVALID_ARGUMENT; it asks for longer than the deployment keeps anything.
        """
        ttl = self._seconds(job, "ttl", self.ttl_seconds)
        return duration(ttl), duration(min(ttl, self._seconds(job, "audio_ttl", self.audio_ttl_seconds)))

    def _seconds(self, job: Transcription, field: str, default: float) -> float:
        if not job.HasField(field):  # type: ignore[arg-type] # a name that the two callers above know
            return default
        asked: Duration = getattr(job, field)
        seconds = asked.ToNanoseconds() / 1e9
        if seconds > self.ttl_seconds_max:
            raise invalid_argument(
                reasons.ERROR_REASON_INVALID_REQUEST,
                f"nothing is kept for longer than {self.ttl_seconds_max:g} s",
                field_path=f"transcription.{field}",
                ttl_seconds_max=f"{self.ttl_seconds_max:g}",
            )
        return seconds

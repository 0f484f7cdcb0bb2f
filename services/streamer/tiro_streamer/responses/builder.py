"""Making responses for a client from events and partials of a worker: one a message, with durations for samples."""

from tiro.events.v1.live_pb2 import LiveConfigUpdated, LiveEvent, LivePartial, SessionRecord
from tiro.streaming.v1 import streaming_pb2 as streaming
from tiro_core.clock import duration, duration_of
from tiro_streamer.audio_log.position import LogPosition
from tiro_streamer.settings import StreamerSettings

Response = streaming.StreamingTranscribeResponse


class ResponseBuilder:
    """Builds the responses of one session."""

    def __init__(self, record: SessionRecord, settings: StreamerSettings, *, resume_token: str = "") -> None:
        """Prepare to build.

        Args:
            record: The session.
            settings: The settings, whose limits are reported to the client.
            resume_token: The token that resumes the session. Empty for a client that must not have it.
        """
        self._rate_hz = record.sample_rate_hertz
        self._started = streaming.SessionStarted(
            session_id=record.session_id,
            recognition=record.recognition,
            duration_max=duration(settings.session_seconds_max),
            idle_max=duration(settings.idle_seconds_max),
            resume_token=resume_token,
            resume_window=record.resume_window if record.resume_token_sha256 else None,
        )

    def of_event(self, event: LiveEvent) -> Response:
        """The response for an event of the session, with the event's number.

        Raises:
            ValueError: The event is of a kind that this streamer does not know.
        """
        response = Response(sequence=event.sequence)
        kind = event.WhichOneof("event")
        if kind == "owner_changed":
            self._owner_changed(event, response)
        elif kind == "final":
            response.final.segment.CopyFrom(event.final)
            response.final.warnings.extend(event.warnings)
        elif kind == "speech_started_sample":
            response.speech_started.offset.CopyFrom(duration_of(event.speech_started_sample, self._rate_hz))
        elif kind == "speech_ended_sample":
            response.speech_ended.offset.CopyFrom(duration_of(event.speech_ended_sample, self._rate_hz))
        elif kind == "utterance_ended":
            response.utterance_end.offset.CopyFrom(duration_of(event.utterance_ended.sample, self._rate_hz))
            response.utterance_end.finalized = event.utterance_ended.finalized
        elif kind == "config_updated":
            self._config_updated(event.config_updated, response.config_updated)
        elif kind == "config_refused":
            refused = event.config_refused
            response.config_refused.offset.CopyFrom(duration_of(refused.sample, self._rate_hz))
            response.config_refused.error.CopyFrom(refused.error)
        elif kind == "ended":
            response.session_ended.audio_duration.CopyFrom(duration_of(event.ended.sample_count, self._rate_hz))
            response.session_ended.final_count = event.ended.final_count
            response.session_ended.upload_id = event.ended.upload_id
        else:
            raise ValueError(f"event {event.sequence} is of an unknown kind")
        return response

    def of_stored(self, position: LogPosition) -> Response:
        """The acknowledgement of the audio and the controls that are stored."""
        offset = duration_of(position.samples, self._rate_hz)
        return Response(audio_ack=streaming.AudioAck(offset=offset, control_count=position.controls))

    def of_resumed(self, position: LogPosition) -> Response:
        """The answer to a client that resumes the session."""
        return Response(
            session_resumed=streaming.SessionResumed(
                audio_offset=duration_of(position.samples, self._rate_hz),
                control_count=position.controls,
                audio_ended=position.ended,
            )
        )

    def _config_updated(self, event: LiveConfigUpdated, response: streaming.ConfigUpdated) -> None:
        response.offset.CopyFrom(duration_of(event.sample, self._rate_hz))
        response.recognition.CopyFrom(event.recognition)
        if event.HasField("endpointing"):
            response.endpointing.CopyFrom(event.endpointing)

    def _owner_changed(self, event: LiveEvent, response: Response) -> None:
        if event.sequence == 1:
            response.session_started.CopyFrom(self._started)
            return
        changed = event.owner_changed
        offset = duration_of(changed.first_sample, self._rate_hz)
        if changed.engine_changed:
            response.engine_changed.offset.CopyFrom(offset)
            response.engine_changed.engine = changed.route.engine
            response.engine_changed.model = changed.route.model
        else:
            response.worker_changed.offset.CopyFrom(offset)


def of_lag(seconds: float) -> Response:
    """The report of the worker's lag behind the stored audio."""
    return Response(lag=streaming.Lag(behind=duration(seconds)))


def of_partial(partial: LivePartial) -> Response:
    """The response for a partial."""
    response = Response()
    response.partial.after_sequence = partial.after_sequence
    response.partial.segment.CopyFrom(partial.segment)  # a constructor would copy it twice
    return response

"""What a worker says, as the client sees it: samples become durations, one event one response."""

from tiro.events.v1.live_pb2 import LiveConfigUpdated, LiveEvent, LivePartial
from tiro.streaming.v1 import streaming_pb2 as streaming
from tiro_core.clock import duration, duration_of

Response = streaming.StreamingTranscribeResponse


class ResponseBuilder:
    """Builds the responses of one session."""

    def __init__(self, started: streaming.SessionStarted, rate_hz: int) -> None:
        """`started` is what the client is told when a worker has the session."""
        self._started = started
        self._rate_hz = rate_hz

    def of_event(self, event: LiveEvent) -> Response:
        """The response for an event of the session's line, under the event's number.

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
        elif kind == "ended":
            response.session_ended.audio_duration.CopyFrom(duration_of(event.ended.sample_count, self._rate_hz))
            response.session_ended.final_count = event.ended.final_count
            response.session_ended.upload_id = event.ended.upload_id
        else:
            raise ValueError(f"event {event.sequence} is of an unknown kind")
        return response

    def of_stored(self, samples: int, controls: int) -> Response:
        """The acknowledgement of so much audio, and so many controls."""
        offset = duration_of(samples, self._rate_hz)
        return Response(audio_ack=streaming.AudioAck(offset=offset, control_count=controls))

    def of_resumed(self, samples: int, controls: int) -> Response:
        """What the client that resumes a session goes on from."""
        offset = duration_of(samples, self._rate_hz)
        return Response(session_resumed=streaming.SessionResumed(audio_offset=offset, control_count=controls))

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
    """How far the server is behind."""
    return Response(lag=streaming.Lag(behind=duration(seconds)))


def of_partial(partial: LivePartial) -> Response:
    """The response for a partial."""
    response = Response()
    response.partial.after_sequence = partial.after_sequence
    response.partial.segment.CopyFrom(partial.segment)  # a constructor would copy it twice
    return response

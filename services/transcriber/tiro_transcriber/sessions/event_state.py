"""The state of a live session that follows from its event log, for a new owner.

The state depends only on the events, in their order. So the state in a checkpoint, with the events after it, gives the
same state as the whole log.
"""

from tiro.events.v1.live_pb2 import EventLogState, LiveConfigUpdated, LiveContext, LiveEnded, LiveEvent
from tiro.events.v1.route_pb2 import Route


class EventState:
    """The state after an event. Use `apply` for each event that follows.

    Attributes:
        ended: The end of the session. None: it has not ended.
    """

    def __init__(self) -> None:
        """The state before the first event."""
        self._state = EventLogState()
        self._later_configs: list[LiveConfigUpdated] = []
        """The configs that begin after `next_sample`."""
        self._settled = 0
        self.ended: LiveEnded | None = None

    def restart(self, known: EventLogState | None) -> None:
        """Begin again with the state after an earlier event. None: before the first one."""
        self._state = EventLogState()
        if known is not None:
            self._state.CopyFrom(known)
        self._later_configs.clear()
        self._settled = 0
        self.ended = None

    def apply(self, event: LiveEvent, stream_sequence: int) -> None:
        """Apply the next event of the log, with its sequence in the stream."""
        state = self._state
        state.sequence, state.stream_sequence = event.sequence, stream_sequence
        state.answered_controls = max(state.answered_controls, event.answered_controls)
        match event.WhichOneof("event"):
            case "owner_changed":
                state.engine_changed |= event.owner_changed.engine_changed
                if event.owner_changed.HasField("route"):
                    state.route.CopyFrom(event.owner_changed.route)
            case "final":
                self._apply_final(event)
            case "speech_started_sample":
                state.speaking = True
            case "speech_ended_sample":
                state.speaking = False
            case "utterance_ended":
                state.utterance_ended_sample = event.utterance_ended.sample
            case "config_updated":
                self._later_configs.append(event.config_updated)
                self._drop_earlier_configs()
            case "ended":
                self.ended = event.ended

    def settle(self, sample: int) -> None:
        """Note that everything before a sample is final or silence, and no context of the audio after it."""
        self._settled = max(self._settled, sample)
        self._drop_earlier_configs()

    def snapshot(self) -> EventLogState | None:
        """The state for a checkpoint.

        Returns:
            The state. None where it is not enough for a new owner: there is no event yet, the session has ended, or a
            config begins after the sample at which the new owner begins.
        """
        if not self._state.sequence or self.ended is not None or self._later_configs:
            return None
        snapshot = EventLogState()
        snapshot.CopyFrom(self._state)
        return snapshot

    @property
    def sequence(self) -> int:
        """The number of the newest event. 0: there is none."""
        return self._state.sequence

    @property
    def stream_sequence(self) -> int:
        """The sequence of the newest event in the stream."""
        return self._state.stream_sequence

    @property
    def next_sample(self) -> int:
        """The sample at which a new owner continues: everything before it is final or silence."""
        return max(self._state.resume_sample, self._settled)

    @property
    def context(self) -> LiveContext | None:
        """The context at `next_sample`. None where the last final has none, or is too long ago."""
        is_needed = self._state.HasField("context") and self._settled < self._state.resume_sample
        return self._state.context if is_needed else None

    @property
    def config(self) -> LiveConfigUpdated | None:
        """The config in use at `next_sample`. None: the record's."""
        return self._state.config if self._state.HasField("config") else None

    @property
    def final_count(self) -> int:
        """The number of finals."""
        return self._state.final_count

    @property
    def answered_controls(self) -> int:
        """The number of the client's controls that are answered."""
        return self._state.answered_controls

    @property
    def speaking(self) -> bool:
        """Whether speech has begun and not ended."""
        return self._state.speaking

    @property
    def utterance_ended_sample(self) -> int:
        """The sample at which the last utterance ended. -1: none has ended."""
        return self._state.utterance_ended_sample if self._state.HasField("utterance_ended_sample") else -1

    @property
    def route(self) -> Route | None:
        """Engine and model of the newest owner. None: there was none."""
        return self._state.route if self._state.HasField("route") else None

    @property
    def engine_changed(self) -> bool:
        """Whether an owner had another engine or model than the one before it."""
        return self._state.engine_changed

    def _apply_final(self, event: LiveEvent) -> None:
        self._state.final_count += 1
        self._state.resume_sample = event.resume_sample
        if event.HasField("context"):
            self._state.context.CopyFrom(event.context)
        else:
            self._state.ClearField("context")
        self._drop_earlier_configs()

    def _drop_earlier_configs(self) -> None:
        """Keep the config in use at `next_sample`, and those that begin after it."""
        begun = [config for config in self._later_configs if config.sample <= self.next_sample]
        if begun:
            self._state.config.CopyFrom(begun[-1])
            del self._later_configs[: len(begun)]

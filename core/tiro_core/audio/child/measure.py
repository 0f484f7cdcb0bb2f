"""The duration of audio, measured from its packets rather than read from its header."""

import math
from collections.abc import Iterator

from av import AudioFrame, Packet
from av.audio.stream import AudioStream

from tiro_core.audio.child.clock_check import PIECES_CHECKED, with_checked_clock
from tiro_core.audio.child.container import AudioContainer, stated_seconds
from tiro_core.audio.child.timeline import HOLE_SECONDS_MIN, Piece, Timeline, open_timeline
from tiro_core.audio.errors import AudioTooLongError, AudioTooShortError, AudioUndecodableError
from tiro_core.audio.limits import DecodeLimits
from tiro_core.audio.report import AudioInfo

DISAGREEMENT_SECONDS_TOLERATED = 0.1
"""The audio that a decoder may hold back, or drop at the start."""

DISAGREEMENT_FRACTION_TOLERATED = 0.05

FALSE_FRACTION = 0.1
"""A packet that states less than this part of the shortest decoded one has a false length."""


class _Measured:
    """The sound of a container, decoded as long as its packets do not last as long as they state.

    Attributes:
        first_frame: the first decoded frame; None while there is none.
    """

    def __init__(self, container: AudioContainer, timeline: Timeline) -> None:
        self._container = container
        self._timeline = timeline
        self._packets = 0
        self._stated_seconds = 0.0
        self._decoded_seconds = 0.0
        self._every_packet_states = True
        self._longest_seconds = 0.0
        self._shortest_seconds = math.inf
        self.first_frame: AudioFrame | None = None

    def pieces(self) -> Iterator[Piece]:
        """Yield the sound of every packet, without frames once what packets state is believed."""
        believed = False
        for packet in self._container.packets():
            # A clock that does not keep time with the sound is noticed meanwhile, by the reader of these pieces.
            piece = self._stated(packet) if believed and not self._timeline.is_ignored else self._decoded(packet)
            if not believed and self._packets == PIECES_CHECKED:
                believed = self._agrees()
            if piece is not None:
                yield piece

    def _decoded(self, packet: "Packet[AudioStream]") -> Piece | None:
        piece = self._container.decode(packet)
        if packet.size:
            self._packets += 1
            self._stated_seconds += stated_seconds(packet)
            self._every_packet_states = self._every_packet_states and bool(packet.duration)
        if piece is not None:
            self.first_frame = self.first_frame or piece.frames[0]
            self._decoded_seconds += piece.seconds
            self._longest_seconds = max(self._longest_seconds, piece.seconds)
            self._shortest_seconds = min(self._shortest_seconds, piece.seconds)
        return piece

    def _stated(self, packet: "Packet[AudioStream]") -> Piece | None:
        """The sound of a packet by what the container states. A movie counts the hole behind a packet to its length."""
        if not packet.size or packet.is_discard:  # outside of what an edit list keeps
            return None
        stated = seconds = stated_seconds(packet)
        if stated > self._longest_seconds + HOLE_SECONDS_MIN:
            seconds = self._longest_seconds
        elif stated < self._shortest_seconds * FALSE_FRACTION:
            seconds = self._shortest_seconds
        return Piece(self._container.time_of(packet), seconds, stated, ())

    def _agrees(self) -> bool:
        tolerated = DISAGREEMENT_SECONDS_TOLERATED + self._stated_seconds * DISAGREEMENT_FRACTION_TOLERATED
        return (
            self._every_packet_states
            and self.first_frame is not None
            and abs(self._stated_seconds - self._decoded_seconds) <= tolerated
        )


def measure(container: AudioContainer, limits: DecodeLimits) -> AudioInfo:
    """Read every packet and decode the first ones; decode all of them when the first do not last as long as they state.

    Raises:
        AudioTooShortError: less than `limits.duration_seconds_min`.
        AudioTooLongError: more than `limits.duration_seconds_max`.
        AudioUndecodableError: packets, of which none decodes.
    """
    timeline = open_timeline(container, limits)
    measured = _Measured(container, timeline)
    for piece in with_checked_clock(measured.pieces(), timeline):
        # Lengths that are stated, not decoded, are rounded: there the timestamps are more exact.
        timeline.place(piece.time, piece.seconds, hole_seconds_min=HOLE_SECONDS_MIN if piece.frames else 0.0)
        if timeline.position > limits.duration_seconds_max:
            raise AudioTooLongError
    return _info(container, measured.first_frame, timeline.position, limits)


def _info(container: AudioContainer, first_frame: AudioFrame | None, seconds: float, limits: DecodeLimits) -> AudioInfo:
    if first_frame is None and container.damaged_packets:
        raise AudioUndecodableError
    if first_frame is None or seconds < limits.duration_seconds_min:
        raise AudioTooShortError
    return AudioInfo(
        container=container.name,
        codec=container.codec,
        sample_rate_hz=first_frame.sample_rate,
        channels=first_frame.layout.nb_channels,
        duration_seconds=seconds,
        damaged_packets=container.damaged_packets,
        container_duration_seconds=container.duration_seconds,
    )

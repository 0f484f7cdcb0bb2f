"""The duration of audio, measured from its packets rather than read from its header."""

from av import AudioFrame, Packet
from av.audio.stream import AudioStream

from tiro_core.audio.child.container import AudioContainer
from tiro_core.audio.errors import AudioTooLongError, AudioTooShortError, AudioUndecodableError
from tiro_core.audio.limits import DecodeLimits
from tiro_core.audio.report import AudioInfo

PACKETS_CHECKED = 50
"""Packets decoded to check the durations that packets state; about a second of most codecs."""

DISAGREEMENT_SECONDS_TOLERATED = 0.1
"""The audio that a decoder may hold back, or drop at the start."""

DISAGREEMENT_FRACTION_TOLERATED = 0.05


class _Tally:
    """Seconds stated by packets beside seconds decoded."""

    def __init__(self) -> None:
        self.packets = 0
        self.stated_seconds = 0.0
        self.decoded_seconds = 0.0
        self.every_packet_states = True
        self.first_frame: AudioFrame | None = None

    def state(self, packet: "Packet[AudioStream]") -> None:
        self.packets += 1
        if packet.duration and packet.time_base:
            self.stated_seconds += float(packet.duration * packet.time_base)
        else:
            self.every_packet_states = False

    def decoded(self, frames: list[AudioFrame]) -> None:
        for frame in frames:
            self.first_frame = self.first_frame or frame
            self.decoded_seconds += frame.samples / frame.sample_rate

    def agrees(self) -> bool:
        tolerated = DISAGREEMENT_SECONDS_TOLERATED + self.stated_seconds * DISAGREEMENT_FRACTION_TOLERATED
        return (
            self.every_packet_states
            and self.first_frame is not None
            and abs(self.stated_seconds - self.decoded_seconds) <= tolerated
        )


def measure(container: AudioContainer, limits: DecodeLimits) -> AudioInfo:
    """Read every packet and decode the first ones; decode all of them when the first do not last as long as they state.

    Raises:
        AudioTooShortError: less than `limits.duration_seconds_min`.
        AudioTooLongError: more than `limits.duration_seconds_max`.
        AudioUndecodableError: packets, of which none decodes.
    """
    tally = _Tally()
    believed_from_seconds: float | None = None  # decoded up to here, believed from here on
    seconds = 0.0
    for packet in container.packets():
        if packet.size:
            tally.state(packet)
        if believed_from_seconds is None:
            tally.decoded(container.decode(packet))
            seconds = tally.decoded_seconds
            if tally.packets == PACKETS_CHECKED and tally.agrees():
                believed_from_seconds = tally.stated_seconds
        else:
            seconds = tally.decoded_seconds + tally.stated_seconds - believed_from_seconds
        if seconds > limits.duration_seconds_max:
            raise AudioTooLongError
    return _info(container, tally.first_frame, seconds, limits)


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

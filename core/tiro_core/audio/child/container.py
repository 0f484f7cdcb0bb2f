"""Reading one sound track of a container packet by packet."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from av import AudioFrame, FFmpegError, Packet
from av.audio.stream import AudioStream
from av.container import InputContainer

from tiro_core.audio.child.edit_lists import NO_EDITS, EditList, shifted
from tiro_core.audio.child.origin import stated_end_seconds
from tiro_core.audio.child.refusals import check_packet, check_parameters
from tiro_core.audio.child.silence import discontinuous_frame
from tiro_core.audio.child.timeline import Piece
from tiro_core.audio.child.tracks import codec_name, sound_tracks

FAILED_READS_IN_A_ROW_MAX = 100
"""A demuxer that fails this often without a packet between has lost its position for good."""


class AudioContainer:
    """One sound track of an opened container.

    Attributes:
        name: FFmpeg's name of the container.
        codec: FFmpeg's name of the codec.
        track: the number of the track among the container's sound tracks, from 1.
        origin: the timestamp of the container's start in seconds; None where it has none.
        duration_seconds: the end of the sound as the header states it, in seconds from `origin`; None where it does
            not.
        damaged_packets: packets skipped so far.
    """

    def __init__(
        self, container: InputContainer, stream: AudioStream, *, origin: float | None, edits: EditList = NO_EDITS
    ) -> None:
        self._container = container
        self._stream = stream
        self._decode: Callable[[Packet[AudioStream]], list[AudioFrame]] = stream.codec_context.decode
        self.name = container.format.name
        self.codec = codec_name(stream)
        self.track = sound_tracks(container).index(stream) + 1
        self.origin = origin
        self._gaps = edits.gaps
        self.duration_seconds = edits.seconds or stated_end_seconds(container, stream, origin)
        self.damaged_packets = 0

    def packets(self) -> "Iterator[Packet[AudioStream]]":
        """Yield the stream's packets, the last one empty to flush the decoder; unreadable ones are counted."""
        failed_in_a_row = 0
        while failed_in_a_row < FAILED_READS_IN_A_ROW_MAX:
            try:
                for packet in self._container.demux(self._stream):
                    failed_in_a_row = 0
                    if packet.size or packet.dts is None:  # only the flush has neither; decoders refuse empty packets
                        check_packet(packet)
                        yield packet
            except MemoryError:
                raise
            except FFmpegError:
                self.damaged_packets += 1
                failed_in_a_row += 1
            else:
                return

    def decode(self, packet: "Packet[AudioStream]") -> Piece | None:
        """Return the sound of one packet, None when it has none or is damaged (which is counted)."""
        frames = self._frames(packet)
        if not frames:
            return None
        seconds = sum(frame.samples / frame.sample_rate for frame in frames)
        time = packet.pts if frames[0].pts is None else frames[0].pts
        return Piece(self._placed(seconds_of(time, packet.time_base)), seconds, stated_seconds(packet), frames)

    def time_of(self, packet: "Packet[AudioStream]") -> float | None:
        """Return the timestamp of a packet in seconds; None without one."""
        return self._placed(seconds_of(packet.pts, packet.time_base))

    def _placed(self, time: float | None) -> float | None:
        return None if time is None else shifted(time, self._gaps)

    def _frames(self, packet: "Packet[AudioStream]") -> Sequence[AudioFrame]:
        if (silence := discontinuous_frame(packet)) is not None:
            return [silence]
        try:
            frames = self._decode(packet)
        except MemoryError:
            raise
        except EOFError:  # the decoder was flushed before: a second flush has nothing to give
            return []
        except FFmpegError:
            self.damaged_packets += 1
            return []
        for frame in frames:  # what a codec's own headers state may differ from the container's
            check_parameters(frame.sample_rate, frame.layout.nb_channels)
        return frames

    def pieces(self) -> Iterator[Piece]:
        """Yield everything that can be decoded."""
        for packet in self.packets():
            if (piece := self.decode(packet)) is not None:
                yield piece


def stated_seconds(packet: "Packet[AudioStream]") -> float:
    """Return the length that the container states for a packet, 0.0 where it states none."""
    return seconds_of(packet.duration, packet.time_base) or 0.0


def seconds_of(time: int | None, time_base: Fraction | None) -> float | None:
    """Return a time of FFmpeg in seconds; None where there is none."""
    return None if time is None or time_base is None else float(time * time_base)

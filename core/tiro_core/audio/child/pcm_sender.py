"""Decoded audio on its way to the parent."""

import json
import socket
from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain
from typing import Protocol

from av import AudioFrame

from tiro_core.audio.child.clock_check import with_checked_clock
from tiro_core.audio.child.silence import silence_like
from tiro_core.audio.child.source import FileSource
from tiro_core.audio.child.timeline import Clocked, Piece, open_timeline, stated_end
from tiro_core.audio.child.unread import unread_bytes
from tiro_core.audio.errors import AudioTooLongError, AudioTooShortError, AudioUndecodableError
from tiro_core.audio.mono import MonoConverter
from tiro_core.audio.report import AudioSource, DecodeReport
from tiro_core.audio.wire import AUDIO, PAYLOAD_BYTES_MAX, RESULT, SOURCE, Job, pack

SAMPLE_BYTES = 2


class FrameReader(Clocked, Protocol):
    """An opened audio stream, and its sound."""

    @property
    def codec(self) -> str:
        """FFmpeg's name of the codec."""

    @property
    def damaged_packets(self) -> int:
        """Packets skipped so far."""

    def pieces(self) -> Iterator[Piece]:
        """Yield everything that can be decoded."""


class PcmSender:
    """Sends the source, the samples, and the report of one stream.

    Args:
        reader: what to decode.
        job: its rate and limits.
        channel: where to send; a parent that does not read makes this wait, which bounds the memory on both sides.
        chunk_bytes: samples are sent when there are at least this many bytes of them.
        source: the file that is decoded; None for a live stream.
    """

    def __init__(
        self,
        reader: FrameReader,
        job: Job,
        channel: socket.socket,
        *,
        chunk_bytes: int,
        source: FileSource | None = None,
    ) -> None:
        self._reader = reader
        self._source = source
        self._limits = job.limits
        self._channel = channel
        self._chunk_bytes = chunk_bytes
        self._converter = MonoConverter(job.rate, job.channel)
        self._timeline = open_timeline(reader, job.limits)
        self._is_live = job.kind == "live"
        self._pending = bytearray()
        self._samples = 0

    def run(self) -> None:
        """Decode everything, with silence in the holes between the container's timestamps.

        Raises:
            AudioTooShortError: less than the least duration was decoded.
            AudioTooLongError: more than the limit was decoded; what came before it has been sent.
            AudioUndecodableError: there are packets, and none of them decodes.
        """
        described = False
        for piece in self._pieces():
            if not described:
                self._describe(piece.frames[0])
                described = True
            silence = self._timeline.place(piece.time, piece.seconds)
            for frame in chain(silence_like(piece.frames[0], silence), piece.frames):
                self._add(self._converter.convert(frame))
                if len(self._pending) >= self._chunk_bytes:
                    self._send()
        self._add(self._converter.flush())
        self._send()
        self._report()

    def _pieces(self) -> Iterator[Piece]:
        if self._is_live:  # what has arrived is sent at once
            return self._reader.pieces()
        return with_checked_clock(self._reader.pieces(), self._timeline)

    def _describe(self, frame: AudioFrame) -> None:
        """Send the source as the first frame has it: headers of aac and opus state other rates than they decode to."""
        source = AudioSource(
            container=self._reader.name,
            codec=self._reader.codec,
            sample_rate_hz=frame.sample_rate,
            channels=frame.layout.nb_channels,
            container_duration_seconds=self._reader.duration_seconds,
        )
        self._channel.sendall(pack(SOURCE, json.dumps(asdict(source)).encode()))

    def _add(self, pcm: bytes) -> None:
        self._pending += pcm
        self._samples += len(pcm) // SAMPLE_BYTES
        if self._seconds() > self._limits.duration_seconds_max:
            raise AudioTooLongError

    def _send(self) -> None:
        for start in range(0, len(self._pending), PAYLOAD_BYTES_MAX):
            self._channel.sendall(pack(AUDIO, bytes(self._pending[start : start + PAYLOAD_BYTES_MAX])))
        self._pending.clear()

    def _seconds(self) -> float:
        return self._samples / self._converter.rate if self._converter.rate else 0.0

    def _report(self) -> None:
        if not self._samples and self._reader.damaged_packets:
            raise AudioUndecodableError
        if not self._samples or self._seconds() < self._limits.duration_seconds_min:
            raise AudioTooShortError
        report = DecodeReport(
            samples=self._samples,
            damaged_packets=self._reader.damaged_packets,
            decoded_duration_seconds=self._seconds(),
            container_duration_seconds=stated_end(self._reader, self._timeline),
            clock_restarts=self._timeline.restarts,
            single_channel_seconds=self._converter.single_channel_seconds,
            unread_bytes=unread_bytes(self._reader.name, self._source) if self._source is not None else 0,
        )
        self._channel.sendall(pack(RESULT, json.dumps(asdict(report)).encode()))

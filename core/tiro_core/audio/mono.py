"""Conversion of frames of any layout, format and rate to int16 mono at one rate."""

import errno
import math

import numpy as np
import numpy.typing as npt
from av import AudioFrame, FFmpegError
from av.filter import Graph

from tiro_core.audio.cancellation import ChannelChooser

LISTEN_SECONDS = 0.05
"""How often channels are compared."""

SAMPLES_COMPARED_MAX = 256
"""Samples of a frame that are compared, evenly spread: enough for energies."""


class MonoConverter:
    """Mixes down, or takes one channel of, and resamples frames of one stream, which may change its format on the way.

    FFmpeg's own `AudioResampler` gives each graph a pool of threads, one per core, and refuses a stream that changes.

    Channels that cancel each other out are not mixed: one of them is taken.

    Attributes:
        rate: output rate in Hz; None before the first frame where none was given.
        single_channel_seconds: the sound of which one channel was taken because the channels cancel each other out.

    Args:
        rate: output rate in Hz; None takes the rate of the first frame.
        channel: the one channel to take, counted from 0; None mixes all of them. Frames with fewer give their last one.
    """

    def __init__(self, rate: int | None, channel: int | None = None) -> None:
        self.rate = rate
        self.single_channel_seconds = 0.0
        self._channel = channel
        self._chooser = ChannelChooser()
        self._unheard_seconds = math.inf
        self._graph: Graph | None = None
        self._input: tuple[str, str, int, int | None] | None = None

    def convert(self, frame: AudioFrame) -> bytes:
        """Return the samples that are ready, as int16 mono in the machine's byte order."""
        frame.pts = None  # gaps in timestamps are not filled: time is samples
        self.rate = self.rate or frame.sample_rate
        channel = self._channel if self._channel is not None else self._choose(frame)
        kind = (frame.format.name, frame.layout.name, frame.sample_rate, channel)
        ready = b""
        if kind != self._input:
            ready = self.flush()
            self._input = kind
            self._graph = None if kind[:3] == ("s16", "mono", self.rate) else self._open(frame, channel)
        if self._graph is None:
            return ready + _samples(frame)
        self._graph.push(frame)
        return ready + self._pull(self._graph)

    def flush(self) -> bytes:
        """Return the samples that the resampler still holds."""
        graph, self._graph, self._input = self._graph, None, None
        if graph is None:
            return b""
        graph.push(None)
        return self._pull(graph)

    def _choose(self, frame: AudioFrame) -> int | None:
        """The channel to take of a frame whose channels cancel each other out; None to mix them."""
        seconds = frame.samples / frame.sample_rate
        self._unheard_seconds += seconds
        if frame.layout.nb_channels > 1 and frame.samples and self._unheard_seconds >= LISTEN_SECONDS:
            self._chooser.listen(_channels(frame), self._unheard_seconds)
            self._unheard_seconds = 0.0
        if frame.layout.nb_channels == 1 or self._chooser.channel is None:
            return None
        self.single_channel_seconds += seconds
        return self._chooser.channel

    def _open(self, frame: AudioFrame, channel: int | None) -> Graph:
        graph = Graph()
        graph.threads = 1
        source = graph.add(
            "abuffer",
            sample_rate=str(frame.sample_rate),
            sample_fmt=frame.format.name,
            channel_layout=frame.layout.name,
            time_base=f"1/{frame.sample_rate}",
        )
        target = graph.add("aformat", sample_rates=str(self.rate), sample_fmts="s16", channel_layouts="mono")
        last = frame.layout.nb_channels - 1
        if channel is None or not last:
            graph.link_nodes(source, target, graph.add("abuffersink")).configure()
        else:
            one = graph.add("pan", f"mono|c0=c{min(channel, last)}")
            graph.link_nodes(source, one, target, graph.add("abuffersink")).configure()
        return graph

    @staticmethod
    def _pull(graph: Graph) -> bytes:
        ready = []
        while True:
            try:
                frame = graph.pull()
            except EOFError:
                break
            except FFmpegError as error:
                if error.errno != errno.EAGAIN:
                    raise
                break
            assert isinstance(frame, AudioFrame)  # noqa: S101 - an audio graph gives audio: for the type checker
            ready.append(_samples(frame))
        return b"".join(ready)


def _samples(frame: AudioFrame) -> bytes:
    """Return a mono int16 frame's samples without the plane's padding."""
    return bytes(frame.planes[0])[: 2 * frame.samples]


def _channels(frame: AudioFrame) -> npt.NDArray[np.float32]:
    """Return some of a frame's samples in [-1, 1], of shape (channels, n)."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    some = samples[:, :: max(1, samples.shape[1] // SAMPLES_COMPARED_MAX)]
    if some.dtype.kind == "f":
        return some.astype(np.float32)
    full_scale = float(2 ** (8 * frame.format.bytes - 1))
    offset = full_scale if some.dtype.kind == "u" else 0.0
    return ((some.astype(np.float64) - offset) / full_scale).astype(np.float32)

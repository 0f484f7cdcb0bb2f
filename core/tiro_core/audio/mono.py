"""Conversion of frames of any layout, format and rate to int16 mono at one rate."""

import errno

from av import AudioFrame, FFmpegError
from av.filter import Graph


class MonoConverter:
    """Mixes down, or takes one channel of, and resamples frames of one stream, which may change its format on the way.

    FFmpeg's own `AudioResampler` gives each graph a pool of threads, one per core, and refuses a stream that changes.

    Args:
        rate: output rate in Hz; None takes the rate of the first frame.
        channel: the one channel to take, counted from 0; None mixes all of them. Frames with fewer give their last one.
    """

    def __init__(self, rate: int | None, channel: int | None = None) -> None:
        self.rate = rate
        self._channel = channel
        self._graph: Graph | None = None
        self._input: tuple[str, str, int] | None = None

    def convert(self, frame: AudioFrame) -> bytes:
        """Return the samples that are ready, as int16 mono in the machine's byte order."""
        frame.pts = None  # gaps in timestamps are not filled: time is samples
        self.rate = self.rate or frame.sample_rate
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        ready = b""
        if kind != self._input:
            ready = self.flush()
            self._input = kind
            self._graph = None if kind == ("s16", "mono", self.rate) else self._open(frame)
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

    def _open(self, frame: AudioFrame) -> Graph:
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
        if self._channel is None or not last:
            graph.link_nodes(source, target, graph.add("abuffersink")).configure()
        else:
            one = graph.add("pan", f"mono|c0=c{min(self._channel, last)}")
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

"""The decoder for the encoding that a client announces."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from tiro.speech.v1.audio_pb2 import AudioEncoding, AudioFormat
from tiro_core.audio.launcher import MediaLauncher
from tiro_core.audio.live import LiveFormat
from tiro_core.audio.pcm import MODEL_RATE_HZ
from tiro_streamer.input.decoders.compressed import open_compressed_decoder
from tiro_streamer.input.decoders.interface import Decoder, Sink
from tiro_streamer.input.decoders.plain import linear16_decoder, mulaw_decoder

_LIVE_FORMATS = {
    AudioEncoding.AUDIO_ENCODING_FLAC: LiveFormat.FLAC,
    AudioEncoding.AUDIO_ENCODING_OGG_OPUS: LiveFormat.OGG_OPUS,
}


def decoded_rate(announced: AudioFormat) -> int:
    """The rate of the decoded audio in Hz, before the first audio has come.

    A compressed stream without an announced rate is resampled to the models' rate.
    """
    return announced.sample_rate_hertz or MODEL_RATE_HZ


def open_decoder(
    announced: AudioFormat,
    sink: Sink,
    *,
    launcher: MediaLauncher,
    seconds_max: float,
    start_seconds_max: float,
) -> AbstractAsyncContextManager[Decoder]:
    """A decoder for an announced format.

    Args:
        announced: The encoding, and for plain samples their rate and channels.
        sink: Gets the samples, at `decoded_rate(announced)`.
        launcher: Starts decoding processes.
        seconds_max: The longest session, which bounds the processor time of a decoding process.
        start_seconds_max: How long to wait while the limit of decoding processes is reached.
    """
    channels, rate_hz = announced.channel_count or 1, announced.sample_rate_hertz
    if announced.encoding == AudioEncoding.AUDIO_ENCODING_LINEAR16:
        return _opened(linear16_decoder(sink, channels, rate_hz))
    if announced.encoding == AudioEncoding.AUDIO_ENCODING_MULAW:
        return _opened(mulaw_decoder(sink, channels, rate_hz))
    return open_compressed_decoder(
        _LIVE_FORMATS[announced.encoding],
        sink,
        announced_rate_hz=announced.sample_rate_hertz,
        launcher=launcher,
        seconds_max=seconds_max,
        start_seconds_max=start_seconds_max,
    )


@asynccontextmanager
async def _opened(decoder: Decoder) -> AsyncIterator[Decoder]:
    yield decoder

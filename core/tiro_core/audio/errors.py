"""The errors of audio that cannot be used, each with a stable reason."""

from typing import ClassVar


class AudioError(Exception):
    """Audio that cannot be used.

    The message is written for the caller: it names no file, process or library.

    Attributes:
        reason: stable UPPER_SNAKE name, the `reason` of `google.rpc.ErrorInfo`.
    """

    reason: ClassVar[str] = "AUDIO_ERROR"
    default_message: ClassVar[str] = "the audio cannot be used"

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.default_message)


class EmptyAudioError(AudioError):
    """The file has no bytes."""

    reason = "EMPTY_AUDIO"
    default_message = "the audio has no bytes"


class NotAudioError(AudioError):
    """The bytes are no media container that is accepted here: text, a playlist, garbage."""

    reason = "NOT_AUDIO"
    default_message = (
        "the bytes are not in an audio format that is accepted; samples without a header need a file name that ends in"
        " .al, .ul, .g722 or .sln"
    )


class NoAudioStreamError(AudioError):
    """A media container without sound."""

    reason = "NO_AUDIO_STREAM"
    default_message = "the file has no audio stream"


class AudioTooShortError(AudioError):
    """Shorter than what can hold speech."""

    reason = "AUDIO_TOO_SHORT"
    default_message = "the audio is too short"


class AudioTooLongError(AudioError):
    """Longer than the limit, as decoded rather than as the header says."""

    reason = "AUDIO_TOO_LONG"
    default_message = "the audio is longer than allowed"


class AudioUndecodableError(AudioError):
    """An audio stream of which nothing can be decoded: damaged, an unknown codec, or too large to be held."""

    reason = "AUDIO_UNDECODABLE"
    default_message = "the audio cannot be decoded"


class DecodeTimeoutError(AudioError):
    """Decoding took longer than its limit."""

    reason = "DECODE_TIMEOUT"
    default_message = "decoding the audio took too long"


class DecodeCrashedError(AudioError):
    """The decoding process died, or sent a message that cannot be read."""

    reason = "DECODE_CRASHED"
    default_message = "the audio made its decoder fail"


class AudioFormatMismatchError(AudioError):
    """The audio is not what it was announced to be."""

    reason = "AUDIO_FORMAT_MISMATCH"
    default_message = "the audio is not in the announced format"


class AudioEncryptedError(AudioError):
    """The sound is encrypted: its key is not in the file."""

    reason = "AUDIO_ENCRYPTED"
    default_message = "the audio is encrypted"


class AudioParametersError(AudioError):
    """The header has values that no recording has: no channel, too many, or an absurd sample rate."""

    reason = "AUDIO_PARAMETERS"
    default_message = "the audio has an absurd sample rate or number of channels"


class AudioTrackNotFoundError(AudioError):
    """The recording has no sound track with the number that the caller names."""

    reason = "AUDIO_TRACK_NOT_FOUND"
    default_message = "the recording has no such sound track"


ERRORS_BY_REASON: dict[str, type[AudioError]] = {error.reason: error for error in AudioError.__subclasses__()}

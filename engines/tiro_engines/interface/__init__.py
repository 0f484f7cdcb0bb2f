"""The interface of speech engines: windows of a recording, and live sessions.

All positions are samples at `SAMPLE_RATE`, counted from the start of the recording or session. All methods block and
run on worker threads. An engine is loaded once per worker and shared by its threads; a session has one caller at a
time. The same process renews leases and serves live streams. So an engine calls a library that holds Python's lock (the
GIL) for a fraction of a second at a time, or runs it in another process.
"""

from tiro_engines.interface.audio import SAMPLE_RATE, WINDOW_SECONDS_MAX, Samples
from tiro_engines.interface.capabilities import (
    Capabilities,
    Capability,
    Feature,
    capabilities_named,
    capability_name,
)
from tiro_engines.interface.engine import (
    Engine,
    EngineSettings,
    EngineType,
    ModelInfo,
    OnAudioSent,
    Window,
    ignore_audio_sent,
)
from tiro_engines.interface.errors import (
    Cancelled,
    EngineRefused,
    EngineUnavailable,
    ModelTooLarge,
    ModelUnavailable,
    UnsupportedLanguage,
)
from tiro_engines.interface.options import DecodingOptions, Endpointing, RecognitionOptions, SessionOptions
from tiro_engines.interface.results import DetectedLanguage, DroppedText, EngineWarning, Segment, WindowResult, Word
from tiro_engines.interface.sessions import (
    CommittedContext,
    EngineSession,
    Final,
    Partial,
    SessionUpdate,
    SpeechEnded,
    SpeechStarted,
    UtteranceEnd,
)

__all__ = [
    "SAMPLE_RATE",
    "WINDOW_SECONDS_MAX",
    "Cancelled",
    "Capabilities",
    "Capability",
    "CommittedContext",
    "DecodingOptions",
    "DetectedLanguage",
    "DroppedText",
    "Endpointing",
    "Engine",
    "EngineRefused",
    "EngineSession",
    "EngineSettings",
    "EngineType",
    "EngineUnavailable",
    "EngineWarning",
    "Feature",
    "Final",
    "ModelInfo",
    "ModelTooLarge",
    "ModelUnavailable",
    "OnAudioSent",
    "Partial",
    "RecognitionOptions",
    "Samples",
    "Segment",
    "SessionOptions",
    "SessionUpdate",
    "SpeechEnded",
    "SpeechStarted",
    "UnsupportedLanguage",
    "UtteranceEnd",
    "Window",
    "WindowResult",
    "Word",
    "capabilities_named",
    "capability_name",
    "ignore_audio_sent",
]

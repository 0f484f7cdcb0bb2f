"""The context of a streamer, which all sessions share."""

from dataclasses import dataclass

from tiro_core.audio.launcher import MediaLauncher
from tiro_core.messaging.connection import Bus
from tiro_core.routing.resolver import RecognitionResolver
from tiro_core.routing.workers import WorkerDirectory
from tiro_streamer.context.detached import DetachedSessions
from tiro_streamer.context.drain import Drain
from tiro_streamer.context.store_watch import StoreWatch
from tiro_streamer.settings import StreamerSettings


@dataclass(frozen=True, slots=True)
class StreamerContext:
    """The parts that all sessions share, one of each in a process."""

    settings: StreamerSettings
    bus: Bus
    workers: WorkerDirectory
    resolver: RecognitionResolver
    launcher: MediaLauncher
    drain: Drain
    detached: DetachedSessions
    store: StoreWatch

"""Metrics of the streamer."""

from prometheus_client import Counter, Gauge, Histogram

SESSIONS_ACTIVE = Gauge("tiro_streamer_sessions_active", "Connections to live sessions that are open")
SESSIONS_RESUMED = Counter("tiro_streamer_sessions_resumed_total", "Live sessions that a client has resumed here")
SESSIONS_DETACHED = Gauge("tiro_streamer_sessions_detached", "Live sessions that wait for their client to resume them")
WATCHERS = Gauge("tiro_streamer_watchers", "Calls that follow a session")
AUDIO_SECONDS = Counter("tiro_streamer_audio_seconds_total", "Seconds of live audio stored")
CLAIM_SECONDS = Histogram(
    "tiro_streamer_claim_seconds",
    "From enqueuing a session to the first event of the worker that claimed it",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5),
)
PARTIALS_DROPPED = Counter(
    "tiro_streamer_partials_dropped_total",
    "Partials not sent: outdated, or replaced before the client had read them",
    ["why"],
)

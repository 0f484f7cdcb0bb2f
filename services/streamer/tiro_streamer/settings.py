"""Settings of the streamer."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from tiro_core.messaging.topology import LIVE_AGE_SECONDS
from tiro_core.settings import ServerSettings

SESSION_MARGIN_SECONDS = 4 * 3600.0
"""How much longer than the oldest session its events are kept: time to read them all after its end."""


class StreamerSettings(ServerSettings):
    """Settings of the streamer, besides those of every server."""

    model_config = SettingsConfigDict(cli_prog_name="tiro-streamer")

    streamer_address: str = Field("127.0.0.1:50052", description="host:port of gRPC")
    streamer_metrics_address: str = Field("127.0.0.1:9102", description="host:port of /metrics; empty: none")
    session_seconds_max: float = Field(4 * 3600, gt=0, le=24 * 3600, description="The longest live session, in audio")
    session_age_seconds_max: float = Field(
        12 * 3600,
        gt=0,
        le=LIVE_AGE_SECONDS - SESSION_MARGIN_SECONDS,
        description="The longest live session by the clock, with its pauses, from its first connection",
    )
    idle_seconds_max: float = Field(
        30,
        gt=0,
        description="Silence after which a client counts as lost: its session waits to be resumed, or ends",
    )
    write_seconds_max: float = Field(
        10, gt=0, description="How long a client may take to read a response before it counts as lost in the same way"
    )
    claim_seconds_max: float = Field(5, gt=0, description="How long a session waits for a worker to claim it")
    claim_seconds_full: float = Field(0.5, gt=0, description="The same while every worker reports that it is full")
    takeover_seconds_max: float = Field(
        30, gt=0, description="How long a session whose worker is lost waits for another one"
    )
    finish_seconds_max: float = Field(90, gt=0, description="How long the last finals may take after the last audio")
    audio_buffer_bytes_max: int = Field(
        1024 * 1024,
        ge=64 * 1024,
        description="The most bytes of PCM16 of one session that wait for NATS; then its client is not read",
    )
    lead_seconds_max: float = Field(
        60, ge=5, description="The most audio accepted beyond that processed by a worker; then the client is not read"
    )
    detached_max: int = Field(10_000, ge=0, description="The most sessions that wait for their client to resume them")
    watchers_max: int = Field(1000, ge=0, description="The most calls that follow sessions at once")
    decoders_max: int = Field(64, ge=1, description="FLAC and Opus sessions at once; each has a decoding process")
    decoder_start_seconds_max: float = Field(5, gt=0, description="How long a session waits for a decoding process")

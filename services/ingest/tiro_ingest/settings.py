"""Settings of the ingest service."""

from ipaddress import ip_network
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from tiro_core.settings import ServerSettings
from tiro_ingest.outgoing.addresses import AddressPolicy

_GIB = 1024**3
_HOUR = 3600.0
_DAY = 24 * _HOUR


class IngestSettings(ServerSettings):
    """Settings of the ingest service."""

    model_config = SettingsConfigDict(cli_prog_name="tiro-ingest")

    ingest_address: str = Field(default="127.0.0.1:50051", description="host:port to serve on; port 0 takes a free one")
    ingest_metrics_address: str = Field(default="127.0.0.1:9101", description="host:port of /metrics; empty: none")
    upload_bytes_max: int = Field(default=2 * _GIB, ge=1, description="The largest recording accepted, in bytes")
    audio_seconds_max: float = Field(default=12 * _HOUR, gt=0, description="The longest recording accepted, in seconds")
    upload_ttl_seconds: float = Field(
        default=24 * _HOUR, gt=0, description="An unfinished upload is removed after this time without a write"
    )
    transcription_ttl_seconds: float = Field(
        default=30 * _DAY, ge=0, description="How long a job without a ttl is kept after its end"
    )
    audio_ttl_seconds: float = Field(
        default=7 * _DAY,
        ge=0,
        description="How long a job's recording is kept after the job's end, and an upload that no job needs",
    )
    ttl_seconds_max: float = Field(default=366 * _DAY, gt=0, description="The longest that a job may be kept")
    upload_idle_seconds: float = Field(
        default=60, gt=0, description="A call that writes an upload ends after this time without data"
    )
    storage_reserve_bytes: int = Field(
        default=_GIB, ge=0, description="Bytes that must stay free in NATS's store; below that nothing is accepted"
    )
    maintenance_interval_seconds: float = Field(
        default=300,
        gt=0,
        description="How often one ingest service checks for expired uploads and for orphans",
    )
    jobs_waiting_max: int = Field(
        default=100_000, ge=1, description="The most jobs of one tenant that wait, for their recordings or their turn"
    )
    callback_secrets: SecretStr = Field(
        default=SecretStr(""),
        description="Secrets that sign callbacks, separated by commas, the newest first. Empty: no callbacks",
    )
    callback_seconds_max: float = Field(
        default=_DAY, gt=0, description="How long after a job's end its callback is tried"
    )
    callbacks_max: int = Field(default=8, ge=1, le=64, description="Callbacks that are sent at once")
    fetch_seconds_max: float = Field(default=3600, gt=0, description="How long fetching one recording may take")
    fetch_stall_seconds: float = Field(default=30, gt=0, description="How long a host may send nothing during a fetch")
    fetch_attempts_max: int = Field(default=5, ge=1, le=20, description="Tries of a fetch that fails temporarily")
    fetches_max: int = Field(default=4, ge=1, le=64, description="Recordings fetched at once")
    outgoing_ports: str = Field(default="80,443", description="Ports that callers' URIs may have, separated by commas")
    outgoing_networks: str = Field(
        default="",
        description="Private networks that callers' URIs may lead to: CIDRs, separated by commas",
    )
    reconcile_seconds: float = Field(
        default=30, gt=0, description="A job whose record has not changed for this time is enqueued for workers again"
    )
    probes_max: int = Field(default=2, ge=1, le=64, description="Finished uploads that are checked at once")
    probe_seconds_max: float = Field(default=300, gt=0, description="How long probing one recording may take")
    spool_dir: Path | None = Field(
        default=None, description="Folder of recordings while they are received and probed. Empty: TMPDIR"
    )
    spool_bytes_max: int = Field(
        default=2 * _GIB,
        ge=0,
        description="The most bytes in spool_dir of recordings that are being received. Others are read back from the "
        "store to be probed, probes_max at once",
    )
    watch_check_seconds: float = Field(
        default=2, gt=0, description="After this time without an event a watch checks whether the job has ended"
    )
    watch_send_seconds_max: float = Field(
        default=30, gt=0, description="A watch ends when its caller does not read an event for this time"
    )

    @model_validator(mode="after")
    def _check_outgoing(self) -> Self:
        self.outgoing_policy()
        return self

    def callback_secret_list(self) -> list[str]:
        """The secrets of callbacks, the newest first."""
        return [secret for part in self.callback_secrets.get_secret_value().split(",") if (secret := part.strip())]

    def outgoing_policy(self) -> AddressPolicy:
        """The addresses to which ingest may connect for callers.

        Raises:
            ValueError: A port is no number, or a network no CIDR.
        """
        networks = [ip_network(part.strip()) for part in self.outgoing_networks.split(",") if part.strip()]
        ports = frozenset(int(part) for part in self.outgoing_ports.split(",") if part.strip())
        return AddressPolicy(ports, networks)

"""The settings of every service: from its command line, from `TIRO_...` in the environment, from a TOML file."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from tiro_core.settings_file import read_settings_file


class CoreSettings(BaseSettings):
    """Settings of every service."""

    model_config = SettingsConfigDict(
        env_prefix="TIRO_",
        extra="ignore",
        hide_input_in_errors=True,  # an error in one setting would quote all of them, secrets included
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
    )

    nats_url: str = Field("nats://127.0.0.1:4222", description="NATS servers, separated by commas")
    nats_credentials: Path | None = Field(None, description="NATS credentials file")
    nats_monitor_url: str = Field(
        "http://127.0.0.1:8222",
        description="Monitoring URLs of the NATS nodes, separated by commas; they report flushing and free space",
    )
    nats_replicas: int = Field(1, ge=1, le=5, description="Copies of every stream: 3 in a cluster, else 1")
    allow_unsafe_nats: bool = Field(
        False, description="Start even if NATS may lose acknowledged jobs when the power fails"
    )
    blob_store: Literal["jetstream", "s3"] = Field("jetstream", description="Where recordings and transcripts are kept")
    s3_endpoint: str = Field("", description="URL of an S3-compatible server. Empty: Amazon S3 in the region")
    s3_region: str = Field("us-east-1", description="Region of the buckets")
    s3_bucket: str = Field("", description="The bucket of recordings and transcripts; it must exist")
    s3_prefix: str = Field("", description="Prefix of the keys of all objects in s3_bucket")
    fetch_s3_buckets: str = Field(
        "",
        description="Buckets that any tenant's jobs may name as s3://bucket/key, separated by commas. Empty: none",
    )
    log_format: Literal["json", "console"] = Field("json", description="Format of log lines")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least severe level that is logged"
    )
    log_exception_messages: bool = Field(
        False,
        description="Log the message of every exception. It may quote what callers send, transcripts included",
    )
    grace_seconds: float = Field(20, gt=0, le=600, description="Seconds for calls and jobs to end after SIGTERM")

    @model_validator(mode="after")
    def _require_buckets(self) -> Self:
        if self.blob_store == "s3" and not self.s3_bucket:
            raise ValueError("blob_store s3 needs s3_bucket (TIRO_S3_BUCKET)")
        if self.s3_bucket in self.fetch_buckets:
            raise ValueError(f"fetch_s3_buckets names {self.s3_bucket}, which holds the recordings of all tenants")
        return self

    @property
    def fetch_buckets(self) -> frozenset[str]:
        """The buckets that jobs may name."""
        return frozenset(name for part in self.fetch_s3_buckets.split(",") if (name := part.strip()))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Add the file named by `TIRO_CONFIG` as the last source.

        Raises:
            SettingsFileError: The file cannot be read, or has a key that is not a setting.
        """
        sources = (init_settings, env_settings, dotenv_settings, file_secret_settings)
        values = read_settings_file(CoreSettings.model_fields)
        return sources if values is None else (*sources, InitSettingsSource(settings_cls, values))


class ServerSettings(CoreSettings):
    """Settings of a service with a gRPC port."""

    tls_certificate: Path | None = Field(None, description="PEM file with the server's certificate chain")
    tls_key: Path | None = Field(None, description="PEM file with the certificate's key")
    auth: Literal["api-key", "off"] = Field(
        "api-key", description="`off` serves every caller as tenant `default`, and is only allowed on loopback"
    )
    message_bytes_max: int = Field(
        4 * 1024 * 1024, ge=64 * 1024, description="The largest gRPC message accepted, in bytes"
    )
    calls_max: int = Field(1000, ge=1, description="Calls served at once; further ones get RESOURCE_EXHAUSTED")
    tenant_share: float = Field(
        0.8, gt=0, le=1, description="Fraction of calls_max and similar limits that one tenant may use"
    )
    default_engine: str = Field(
        "", description="Engine or policy of a request that names none. Empty: the catalogue's default"
    )
    default_model: str = Field("", description="Model of a request that names neither engine nor model")
    catalogue: Path | None = Field(None, description="TOML file with a catalogue to use instead of the shipped one")
    routing: Path | None = Field(
        None, description="TOML file with policies, and the tenants that allow cloud engines: see docs/routing.md"
    )

    @property
    def share_of_tenant(self) -> float:
        """`tenant_share`; 1 without authentication, where every caller is the same tenant."""
        return 1.0 if self.auth == "off" else self.tenant_share

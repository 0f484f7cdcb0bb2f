"""Settings every service has: from its command line, from `TIRO_...` in the environment, from a TOML file."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

CONFIG_VARIABLE = "TIRO_CONFIG"
"""Names the settings file. Its keys are those of the environment without the prefix, in lower case."""


class CoreSettings(BaseSettings):
    """What every service is told about its surroundings."""

    model_config = SettingsConfigDict(
        env_prefix="TIRO_",
        extra="ignore",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
    )

    nats_url: str = Field("nats://127.0.0.1:4222", description="NATS servers, separated by commas")
    nats_credentials: Path | None = Field(None, description="NATS credentials file")
    nats_monitor_url: str = Field(
        "http://127.0.0.1:8222", description="NATS monitoring address, to check that acknowledged jobs would be kept"
    )
    nats_replicas: int = Field(1, ge=1, le=5, description="Copies of every stream: 1 on one server, 3 in a cluster")
    allow_unsafe_nats: bool = Field(
        False, description="Start also on a NATS server that may lose acknowledged jobs when the power fails"
    )
    log_format: Literal["json", "console"] = Field("json", description="How log lines look")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged")
    grace_seconds: float = Field(20, gt=0, le=600, description="How long calls and jobs may go on after SIGTERM")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the file named by `TIRO_CONFIG` last."""
        file = os.environ.get(CONFIG_VARIABLE)
        sources = (init_settings, env_settings, dotenv_settings, file_secret_settings)
        return (*sources, TomlConfigSettingsSource(settings_cls, Path(file))) if file else sources


class ServerSettings(CoreSettings):
    """What a service with a gRPC port is told besides."""

    tls_certificate: Path | None = Field(None, description="PEM file with the server's certificate chain")
    tls_key: Path | None = Field(None, description="PEM file with the certificate's key")
    auth: Literal["api-key", "off"] = Field(
        "api-key", description="`off` serves everyone as tenant `default`, and is only allowed on loopback"
    )
    message_bytes_max: int = Field(4 * 1024 * 1024, ge=64 * 1024, description="The largest gRPC message taken")
    calls_max: int = Field(1000, ge=1, description="Calls served at once; more are answered RESOURCE_EXHAUSTED")
    default_engine: str = Field(
        "", description="The engine of a request that names none. Empty: the catalogue's default"
    )
    default_model: str = Field("", description="The model of a request that names neither engine nor model")
    catalogue: Path | None = Field(None, description="A catalogue of engines and models instead of the one shipped")

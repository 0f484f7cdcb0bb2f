"""The settings of a transcriber."""

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from tiro_core.settings import CoreSettings
from tiro_engines.interface import WINDOW_SECONDS_MAX, EngineSettings
from tiro_engines.models.folder import default_models_dir


class TranscriberSettings(CoreSettings):
    """Settings of the transcriber. A worker runs one engine, with one model or several."""

    model_config = SettingsConfigDict(cli_prog_name="tiro-transcriber")

    engine: str = Field("", description="The engine to run. Empty: the catalogue's default")
    model: str = Field("", description="The model to load. Empty: the engine's default")
    models: str = Field(
        "",
        description="Further models of the engine, separated by commas. Each is loaded when it is asked for. `all`: "
        "every model of the catalogue that fits models_memory_bytes",
    )
    model_idle_seconds: float = Field(
        900, gt=0, description="Seconds after its last use after which one of `models` is unloaded"
    )
    models_memory_bytes: int = Field(
        0, ge=0, description="The most memory that all loaded models may take, as estimated. 0: 3/4 of the machine's"
    )
    models_dir: Path = Field(default_factory=default_models_dir, description="Folder of verified weights")
    catalogue: Path | None = Field(None, description="TOML file with a catalogue to use instead of the shipped one")
    device: str = Field("auto", description="`auto`, `cpu` or `cuda`")
    compute_type: str = Field("auto", description="A CTranslate2 compute type, or `auto` for one that suits the device")
    threads: int = Field(
        0, ge=0, description="CPU threads for one decoding. 0: the cores divided by job_slots, or 1 without job slots"
    )
    job_slots: int | None = Field(
        None,
        ge=0,
        le=64,
        description="Jobs transcribed at once; 0 takes none. Unset: the engine's choice, on a CPU one a core",
    )
    session_slots: int = Field(
        64, ge=0, le=1000, description="The most live sessions at once, even if the capacity is higher; 0 takes none"
    )
    session_threads: int = Field(
        0, ge=0, le=64, description="Calls of live sessions that may run at once. 0: the engine's choice"
    )
    streamer_silence_seconds_max: float = Field(
        60, gt=0, description="Seconds without a message of its streamer after which a live session ends"
    )
    window_seconds: int = Field(
        WINDOW_SECONDS_MAX, ge=30, le=WINDOW_SECONDS_MAX, description="The longest window of a recording, in seconds"
    )
    split_seconds_min: float = Field(
        300,
        ge=0,
        description="The shortest recording that is split into parts if several workers can share it. 0: none is",
    )
    part_seconds: int = Field(120, ge=30, le=WINDOW_SECONDS_MAX, description="The longest part of a job, in seconds")
    attempts_max: int = Field(3, ge=1, le=20, description="Attempts at a job before it is given up")
    decode_seconds_max: float = Field(3600, gt=0, description="How long decoding a recording's container may take")
    audio_seconds_max: float = Field(12 * 3600, gt=0, description="The longest recording, in seconds")
    spool_dir: Path | None = Field(None, description="Folder of recordings while they are decoded. Empty: TMPDIR")
    transcriber_health_address: str = Field("127.0.0.1:50053", description="host:port of gRPC health and reflection")
    transcriber_metrics_address: str = Field("127.0.0.1:9103", description="host:port of /metrics; empty: none")

    def for_engine(self, job_slots: int, session_threads: int) -> EngineSettings:
        """The settings of the engine, for the number of job slots and of session threads."""
        # Live windows are short: many decodings with one thread each are faster together than a few with many threads.
        threads = self.threads or ((os.cpu_count() or 1) // job_slots if job_slots else 1)
        return EngineSettings(
            models_dir=str(self.models_dir),
            catalogue=self.catalogue,
            device=self.device,
            compute_type=self.compute_type,
            threads=max(1, threads),
            parallel=max(1, job_slots + (session_threads if self.session_slots else 0)),
        )

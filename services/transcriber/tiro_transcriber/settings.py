"""The settings of a transcriber."""

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from tiro_core.settings import CoreSettings
from tiro_engines.interface import WINDOW_SECONDS_MAX, EngineSettings
from tiro_engines.models.folder import default_models_dir


class TranscriberSettings(CoreSettings):
    """Settings of the transcriber. One worker loads one model of one engine."""

    model_config = SettingsConfigDict(cli_prog_name="tiro-transcriber")

    engine: str = Field("", description="The engine to run. Empty: the catalogue's default")
    model: str = Field("", description="The model to load. Empty: the engine's default")
    models_dir: Path = Field(default_factory=default_models_dir, description="Where verified weights are kept")
    catalogue: Path | None = Field(None, description="A catalogue of engines and models instead of the one shipped")
    device: str = Field("auto", description="`auto`, `cpu` or `cuda`")
    compute_type: str = Field("auto", description="A CTranslate2 compute type, or `auto` for one that suits the device")
    threads: int = Field(
        0, ge=0, description="CPU threads for one decoding. 0: the cores shared among the jobs, 1 where none are taken"
    )
    job_slots: int | None = Field(
        None,
        ge=0,
        le=64,
        description="Jobs transcribed at once; 0 takes none. Left out: what suits the engine, on a CPU one a core",
    )
    session_slots: int = Field(
        64, ge=0, le=1000, description="Live sessions served at once at most, however much it could do; 0 takes none"
    )
    session_threads: int = Field(
        0, ge=0, le=64, description="Calls of live sessions that may run at once. 0: what suits the engine"
    )
    streamer_silence_seconds_max: float = Field(
        60, gt=0, description="A live session is ended when its streamer has written nothing for so many seconds"
    )
    window_seconds: int = Field(
        WINDOW_SECONDS_MAX, ge=30, le=WINDOW_SECONDS_MAX, description="The longest piece of a recording decoded at once"
    )
    split_seconds_min: float = Field(
        300,
        ge=0,
        description="The shortest recording that is split into parts when several workers could share it. 0: none is",
    )
    part_seconds: int = Field(120, ge=30, le=WINDOW_SECONDS_MAX, description="The longest part of a recording")
    attempts_max: int = Field(3, ge=1, le=20, description="How often a job is begun before it is given up")
    decode_seconds_max: float = Field(3600, gt=0, description="How long decoding a recording's container may take")
    audio_seconds_max: float = Field(12 * 3600, gt=0, description="The longest recording")
    spool_dir: Path | None = Field(None, description="Where recordings are kept while they are decoded. Empty: TMPDIR")
    transcriber_health_address: str = Field("127.0.0.1:50053", description="host:port of gRPC health and reflection")
    transcriber_metrics_address: str = Field("127.0.0.1:9103", description="host:port of /metrics; empty serves none")

    def for_engine(self, job_slots: int, session_threads: int) -> EngineSettings:
        """The settings of the engine, for a number of slots for jobs and of threads for sessions."""
        # Live windows are short: many decodings on one thread each give more than a few on many.
        threads = self.threads or ((os.cpu_count() or 1) // job_slots if job_slots else 1)
        return EngineSettings(
            models_dir=str(self.models_dir),
            catalogue=self.catalogue,
            device=self.device,
            compute_type=self.compute_type,
            threads=max(1, threads),
            parallel=max(1, job_slots + (session_threads if self.session_slots else 0)),
        )

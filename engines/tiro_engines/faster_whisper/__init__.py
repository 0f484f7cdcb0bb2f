"""Whisper through faster-whisper and CTranslate2, on a CPU or a GPU. The library is imported when a model is loaded."""

import os

from tiro_engines.interface import Engine, EngineSettings, EngineType


class FasterWhisperType:
    """Loads Whisper models of the catalogue."""

    def jobs_at_once(self, device: str) -> int:
        """On a CPU one a core, on a GPU two; see `EngineType.jobs_at_once`."""
        from tiro_engines.faster_whisper.loading import jobs_at_once  # noqa: PLC0415 - as below

        return jobs_at_once(device)

    def sessions_at_once(self, device: str) -> int:  # noqa: ARG002 - the same number suits a GPU
        """As many as there are cores; see `EngineType.sessions_at_once`."""
        return os.cpu_count() or 1

    def load(self, model: str, settings: EngineSettings) -> Engine:
        """Fetch the verified weights and load them; see `EngineType.load`."""
        from tiro_engines.faster_whisper.loading import load_engine  # noqa: PLC0415 - heavy, and may be absent

        return load_engine(model, settings)


engine_type: EngineType = FasterWhisperType()

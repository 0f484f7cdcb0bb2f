"""CMU PocketSphinx as an engine: US English, on a CPU. The library is imported when its model is loaded."""

from tiro_engines.interface import Engine, EngineSettings, EngineType, ModelUnavailable

MODEL = "en-us"
"""The model inside the library's wheel, and the only one."""


class PocketsphinxType:
    """Loads the model that comes with the library."""

    def jobs_at_once(self, device: str) -> int:  # noqa: ARG002 - there is only the CPU
        """One: the library holds Python's lock while it decodes, so threads gain nothing."""
        return 1

    def sessions_at_once(self, device: str) -> int:  # noqa: ARG002 - there is only the CPU
        """One, for the same reason."""
        return 1

    def load(self, model: str, settings: EngineSettings) -> Engine:  # noqa: ARG002 - no setting concerns it
        """Load `en-us`; see `EngineType.load`.

        Raises:
            ModelUnavailable: There is no such model, or the library is not installed.
        """
        if model not in ("", MODEL):
            raise ModelUnavailable(f"pocketsphinx has no model {model!r}, only {MODEL}")
        try:
            from tiro_pocketsphinx.engine import PocketsphinxEngine  # noqa: PLC0415 - imported when a model is loaded
        except ImportError as error:
            raise ModelUnavailable(f"pocketsphinx is not installed: {error}") from error
        return PocketsphinxEngine(MODEL)


engine_type: EngineType = PocketsphinxType()

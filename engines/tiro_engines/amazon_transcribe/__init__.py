"""Amazon Transcribe over its streaming service. The SDK is imported when the engine is loaded: it is an extra."""

from tiro_engines.interface import (
    Engine,
    EngineRefused,
    EngineSettings,
    EngineType,
    EngineUnavailable,
    ModelUnavailable,
)

SESSIONS_AT_ONCE = 32


class AmazonTranscribeType:
    """Loads the engine for the region and the account of the environment."""

    def jobs_at_once(self, device: str) -> int:  # noqa: ARG002 - it uses no device
        """The number of streams for jobs in the settings; see `EngineType.jobs_at_once`."""
        from tiro_engines.amazon_transcribe.settings import read_settings  # noqa: PLC0415 - as below

        return read_settings().streams

    def sessions_at_once(self, device: str) -> int:  # noqa: ARG002 - it uses no device
        """More than there are cores: `finalize` waits for the service, and a thread that waits costs nothing."""
        return SESSIONS_AT_ONCE

    def load(self, model: str, settings: EngineSettings) -> Engine:  # noqa: ARG002 - no setting concerns it
        """Read the settings, and check that the service answers.

        Raises:
            ModelUnavailable: There is no such model, the SDK is not installed, or the service does not answer or
                refuses.
        """
        try:
            from tiro_engines.amazon_transcribe.engine import MODEL, AmazonEngine  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise ModelUnavailable(f"install tiro-engines[amazon-transcribe]: {error}") from error
        from tiro_engines.amazon_transcribe.settings import read_settings  # noqa: PLC0415 - as above

        if model != MODEL:
            raise ModelUnavailable(f"Amazon Transcribe has no model {model!r}, only {MODEL}")
        engine = AmazonEngine(read_settings())
        try:
            engine.check()
        except (EngineRefused, EngineUnavailable) as error:
            engine.close()
            raise ModelUnavailable(f"Amazon Transcribe: {error}") from error
        return engine


engine_type: EngineType = AmazonTranscribeType()

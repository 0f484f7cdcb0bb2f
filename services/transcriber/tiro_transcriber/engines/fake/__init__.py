"""An engine for tests: deterministic and instant, it reads word markers out of the samples.

Because every word carries its own number, a test can count exactly that none was lost and none repeated.
"""

from tiro_core.catalogue import load_catalogue
from tiro_transcriber.engines.fake.engine import MODEL, FakeEngine
from tiro_transcriber.engines.interface import EngineSettings, EngineType, ModelUnavailable


class FakeEngineType:
    """Loads the fake engine."""

    def load(self, model: str, settings: EngineSettings) -> FakeEngine:  # noqa: ARG002 - no setting concerns it
        """Load the one model there is, `markers`.

        Raises:
            ModelUnavailable: Another model was asked for.
        """
        if model != MODEL:
            raise ModelUnavailable(f"the fake engine has no model {model!r}, only {MODEL!r}")
        return FakeEngine(load_catalogue().model("fake", MODEL).languages)


engine_type: EngineType = FakeEngineType()

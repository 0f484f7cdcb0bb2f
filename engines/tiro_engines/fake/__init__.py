"""An engine for tests: deterministic, it reads word markers from the samples, at once or at a pace.

Every word has a unique number, so a test can check that none was lost and none repeated.
One word is reserved: it kills the worker that transcribes it; see `engine.CRASH_WORD`.
"""

import os

from tiro_engines.catalogue import load_catalogue
from tiro_engines.fake.engine import SPEEDS, FakeEngine
from tiro_engines.interface import EngineSettings, EngineType, ModelUnavailable


class FakeEngineType:
    """Loads the fake engine."""

    def jobs_at_once(self, device: str) -> int:  # noqa: ARG002 - it uses no device
        """One, so that a test knows how many jobs a worker takes."""
        return 1

    def sessions_at_once(self, device: str) -> int:  # noqa: ARG002 - it uses no device
        """As many as there are cores; see `EngineType.sessions_at_once`."""
        return os.cpu_count() or 1

    def load(self, model: str, settings: EngineSettings) -> FakeEngine:
        """Load `markers`, or `markers-30x`, which takes a thirtieth of real time. The catalogue has their languages.

        Raises:
            ModelUnavailable: The fake engine has no such model.
        """
        if model not in SPEEDS:
            raise ModelUnavailable(f"the fake engine has no model {model!r}, only {', '.join(SPEEDS)}")
        return FakeEngine(model, load_catalogue(settings.catalogue).model("fake", model).languages)


engine_type: EngineType = FakeEngineType()

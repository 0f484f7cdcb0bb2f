"""An engine for tests: deterministic, it reads word markers out of the samples, at once or at a pace.

Because every word carries its own number, a test can count exactly that none was lost and none repeated.
One word is reserved: it kills the worker that transcribes it; see `engine.CRASH_WORD`.
"""

import os

from tiro_engines.catalogue import load_catalogue
from tiro_engines.fake.engine import SPEEDS, FakeEngine
from tiro_engines.interface import EngineSettings, EngineType, ModelUnavailable


class FakeEngineType:
    """Loads the fake engine."""

    def jobs_at_once(self, device: str) -> int:  # noqa: ARG002 - it runs on none
        """One: so a test knows what a worker takes."""
        return 1

    def sessions_at_once(self, device: str) -> int:  # noqa: ARG002 - it runs on none
        """As many as there are cores; see `EngineType.sessions_at_once`."""
        return os.cpu_count() or 1

    def load(self, model: str, settings: EngineSettings) -> FakeEngine:  # noqa: ARG002 - no setting concerns it
        """Load `markers`, or `markers-30x`, which takes a thirtieth of a recording's length for it.

        Raises:
            ModelUnavailable: Another model was asked for.
        """
        if model not in SPEEDS:
            raise ModelUnavailable(f"the fake engine has no model {model!r}, only {', '.join(SPEEDS)}")
        return FakeEngine(model, load_catalogue().model("fake", model).languages)


engine_type: EngineType = FakeEngineType()

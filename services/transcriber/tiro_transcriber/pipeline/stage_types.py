"""The stages of this worker."""

from collections.abc import Sequence

from tiro_engines.interface import Feature
from tiro_transcriber.pipeline.replacements.stage import ReplacementsType
from tiro_transcriber.pipeline.stage import StageType

STAGE_TYPES: Sequence[StageType] = (ReplacementsType(),)
"""The stages, in the order in which they process a segment."""


def stage_features() -> frozenset[Feature]:
    """The capabilities that a worker has by its stages, with any engine."""
    return frozenset(kind.feature for kind in STAGE_TYPES)

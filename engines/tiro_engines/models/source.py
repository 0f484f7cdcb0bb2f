"""What a source of weights is, and how it tells what it does."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tiro_engines.catalogue import Model
from tiro_engines.models.staging import Staging


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the fetching of one item has come."""

    source: str
    """Where the bytes come from, as in `hub` or `wheel`."""
    item: str
    """The file or package being fetched."""
    done_bytes: int
    total_bytes: int


Report = Callable[[Progress], None]
"""Called on the fetching thread, often: it must return at once. An exception that it raises ends the fetching."""


class SourceFailed(Exception):  # noqa: N818 - reads as the outcome it reports; the store turns it into ModelUnavailable
    """A source could not supply all that was missing. What it did supply is kept."""


class Source(Protocol):
    """A place that model files come from."""

    def describe(self, model: Model) -> str:
        """Name the place, for messages."""

    def fill(self, model: Model, staging: Staging, report: Report) -> None:
        """Put files that are missing into the staging folder.

        Raises:
            SourceFailed: Why it could not be done.
        """

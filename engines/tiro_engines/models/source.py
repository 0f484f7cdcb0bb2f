"""A source of weights, and how it reports its progress."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tiro_engines.catalogue import Model
from tiro_engines.models.staging import Staging


@dataclass(frozen=True, slots=True)
class Progress:
    """How much of one item has been fetched."""

    source: str
    """Where the bytes come from, as in `hub` or `wheel`."""
    item: str
    """The file or package being fetched."""
    done_bytes: int
    total_bytes: int
    """0 where the source does not say."""


Report = Callable[[Progress], None]
"""Called on the fetching thread, often: it must return at once. An exception that it raises ends the fetching."""


class SourceFailed(Exception):  # noqa: N818 - reads as the outcome it reports; the store turns it into ModelUnavailable
    """A source could not supply all that was missing. What it did supply is kept."""


class Source(Protocol):
    """A source of model files."""

    def describe(self, model: Model) -> str:
        """Name the source, for messages."""

    def fill(self, model: Model, staging: Staging, report: Report) -> None:
        """Put files that are missing into the staging folder.

        Raises:
            SourceFailed: Why it could not be done.
        """

"""Finds speech engines by name among the entry points of the group `tiro.engines`."""

from importlib.metadata import entry_points
from typing import cast

from tiro_engines.interface import EngineType

GROUP = "tiro.engines"
"""A package that brings an engine names its `EngineType` in this entry point group."""


class UnknownEngine(LookupError):  # noqa: N818 - reads as the condition it reports
    """No installed package brings an engine of this name."""

    def __init__(self, name: str, installed: tuple[str, ...]) -> None:
        super().__init__(f"no engine {name!r} is installed; installed: {', '.join(installed) or 'none'}")
        self.name = name
        self.installed = installed


def installed_engines() -> tuple[str, ...]:
    """The names of the installed engines, sorted. Imports none of them."""
    return tuple(sorted({entry.name for entry in entry_points(group=GROUP)}))


def find_engine(name: str) -> EngineType:
    """Import the engine of this name, and no other.

    Raises:
        UnknownEngine: No engine of this name is installed; the message lists those that are.
    """
    for entry in entry_points(group=GROUP, name=name):
        return cast("EngineType", entry.load())
    raise UnknownEngine(name, installed_engines())

"""Replacements as messages of the contract."""

from collections.abc import Mapping
from types import MappingProxyType

from tiro.speech.v1.recognition_pb2 import Replacement

NO_REPLACEMENTS: Mapping[str, str] = MappingProxyType({})


def pairs(replacements: Mapping[str, str]) -> list[Replacement]:
    """Replacements as messages of the contract."""
    return [Replacement(find=find, replace=text) for find, text in replacements.items()]

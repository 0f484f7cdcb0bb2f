"""Validation of replacements by the contract's rules."""

import protovalidate
import pytest

from tiro.speech.v1.recognition_pb2 import RecognitionConfig, Replacement
from tiro.streaming.v1.streaming_pb2 import Replacements, UpdateConfig


def is_valid(*pairs: tuple[str, str]) -> bool:
    """Whether a request may have these pairs, in the config and in a change of it."""
    replacements = [Replacement(find=find, replace=replace) for find, replace in pairs]
    validator = protovalidate.Validator()
    opened = not validator.collect_violations(RecognitionConfig(replacements=replacements))
    changed = not validator.collect_violations(UpdateConfig(replacements=Replacements(pairs=replacements)))
    assert opened == changed
    return opened


@pytest.mark.parametrize(
    ("find", "replace"),
    [
        ("tyro", "Tiro"),
        ("c plus plus", "C++"),
        ("東京", "Tokyo"),
        ("ครับ", "นะ"),
        (" a ", "…"),
        ("a" * 100, "b" * 100),
        ("x", "a\u200cb"),
    ],
)
def test_valid_pairs(find: str, replace: str) -> None:
    """Pairs may be in any script and have joiners, which are not spaces."""
    assert is_valid((find, replace))


@pytest.mark.parametrize(
    ("find", "replace"),
    [
        ("", "x"),
        ("...", "x"),
        ("a" * 101, "x"),
        ("x", ""),
        ("x", " "),
        ("x", " a"),
        ("x", "a "),
        ("x", "a\nb"),
        ("x", "a\u2028b"),
        ("x", "a\x00b"),
        ("x", "b" * 101),
    ],
)
def test_invalid_pairs(find: str, replace: str) -> None:
    """A phrase without a word, empty text, text of several lines, and too long ones are refused."""
    assert not is_valid((find, replace))


def test_the_number_of_pairs_is_limited() -> None:
    """A request may have a thousand pairs."""
    pairs = [(f"word {number}", "x") for number in range(1000)]
    assert is_valid(*pairs)
    assert not is_valid(*pairs, ("one more", "x"))

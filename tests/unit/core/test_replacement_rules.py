"""What the contract takes as a replacement."""

import protovalidate
import pytest

from tiro.speech.v1.recognition_pb2 import RecognitionConfig, Replacement
from tiro.streaming.v1.streaming_pb2 import Replacements, UpdateConfig


def is_taken(*pairs: tuple[str, str]) -> bool:
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
def test_pairs_that_are_taken(find: str, replace: str) -> None:
    """Any script; joiners, which are no spaces, are kept."""
    assert is_taken((find, replace))


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
def test_pairs_that_are_refused(find: str, replace: str) -> None:
    """A phrase without a word, text of several lines or none, and what is too long."""
    assert not is_taken((find, replace))


def test_how_many() -> None:
    """A thousand."""
    pairs = [(f"word {number}", "x") for number in range(1000)]
    assert is_taken(*pairs)
    assert not is_taken(*pairs, ("one more", "x"))

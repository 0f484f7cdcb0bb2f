"""Which stretches of speech are decoded together."""

from hypothesis import given
from hypothesis import strategies as st

from tiro_engines.faster_whisper.stretches import Stretch, together
from tiro_engines.interface import SAMPLE_RATE

SECONDS_MAX = 30.0
PAD_SECONDS = 8.0


@given(st.lists(st.floats(0.1, 28), max_size=40))
def test_neighbours_go_together_within_the_limit(lengths: list[float]) -> None:
    """In order, none lost, and together no more than may be encoded at once."""
    stretches, position = [], 0
    for length in lengths:
        end = position + round(length * SAMPLE_RATE)
        stretches.append(Stretch(position, end))
        position = end
    groups = list(together(stretches, SECONDS_MAX, PAD_SECONDS))
    assert [stretch for group in groups for stretch in group] == stretches
    for group in groups:
        longest = max(stretch.end - stretch.start for stretch in group) / SAMPLE_RATE
        assert len(group) == 1 or (longest + PAD_SECONDS) * len(group) <= SECONDS_MAX


def test_short_ones_share_a_decoding() -> None:
    """Three commands of a second each are one group."""
    stretches = [Stretch(start * SAMPLE_RATE, (start + 1) * SAMPLE_RATE) for start in (0, 5, 10)]
    assert list(together(stretches, SECONDS_MAX, PAD_SECONDS)) == [stretches]

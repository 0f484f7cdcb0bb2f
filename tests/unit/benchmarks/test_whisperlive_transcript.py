"""What WhisperLive has told so far."""

from benchmarks.peers.whisperlive_transcript import Transcript


def test_a_peer_that_tells_its_newest_segments_only_has_told_the_others_before() -> None:
    """Completed segments stay though messages name them no more; the one under way is replaced."""
    transcript = Transcript()
    first = {"start": "0.000", "end": "1.000", "text": " one two", "completed": True}
    second = {"start": "1.000", "end": "2.000", "text": " tree", "completed": False}
    assert transcript.update([first, second]) == [
        ("one", 0.0, 0.5, True),
        ("two", 0.5, 1.0, True),
        ("tree", 1.0, 2.0, False),
    ]
    assert transcript.update([second]) is None
    shown = transcript.update([{**second, "text": " three"}])
    assert [word[0] for word in shown or ()] == ["one", "two", "three"]


def test_a_message_that_names_nothing_new_takes_nothing_back() -> None:
    """WhisperLive leaves the segment under way out of a message now and then; its client goes on showing it."""
    transcript = Transcript()
    done = {"start": "0.000", "end": "1.000", "text": " one", "completed": True}
    under_way = {"start": "1.000", "end": "2.000", "text": " two", "completed": False}
    assert transcript.update([done, under_way]) is not None
    assert transcript.update([done]) is None
    other = {**under_way, "end": "1.800", "text": " too", "completed": True}
    assert [word[0] for word in transcript.update([done, other]) or ()] == ["one", "too"]

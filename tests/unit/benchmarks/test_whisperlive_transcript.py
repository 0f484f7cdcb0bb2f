"""The transcript that WhisperLive's messages add up to."""

from benchmarks.peers.whisperlive_transcript import Transcript


def test_completed_segments_stay_when_messages_omit_them() -> None:
    """WhisperLive sends its newest segments only. Completed ones stay, and the open one is replaced."""
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


def test_a_message_without_new_segments_removes_nothing() -> None:
    """WhisperLive sometimes omits the open segment from a message. Its client continues to show it."""
    transcript = Transcript()
    done = {"start": "0.000", "end": "1.000", "text": " one", "completed": True}
    under_way = {"start": "1.000", "end": "2.000", "text": " two", "completed": False}
    assert transcript.update([done, under_way]) is not None
    assert transcript.update([done]) is None
    other = {**under_way, "end": "1.800", "text": " too", "completed": True}
    assert [word[0] for word in transcript.update([done, other]) or ()] == ["one", "too"]

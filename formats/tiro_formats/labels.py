"""The label of a segment: who speaks, as far as a transcript tells."""

from tiro.speech.v1.transcript_pb2 import Segment


def label_of(segment: Segment) -> str:
    """The label of a segment, as in `Channel 2`. Empty where the channels were mixed."""
    return f"Channel {segment.channel}" if segment.channel else ""

"""Uploads as the client returns them."""

from tiro.speech.v1.audio_pb2 import AudioInfo
from tiro.speech.v1.audio_pb2 import AudioTrack as TrackMessage
from tiro.transcription.v1 import upload_pb2
from tiro_client import AudioTrack
from tiro_client.uploads.upload import Upload


def test_an_upload_has_its_sound_tracks() -> None:
    """The tracks of a film are described, with the number of the one that is heard."""
    tracks = [
        TrackMessage(number=1, codec="dts", channel_count=6, language_code="eng", title="Film", decodable=True),
        TrackMessage(number=2, codec="ac4"),
    ]
    upload = Upload.from_proto(upload_pb2.Upload(audio=AudioInfo(track=1, tracks=tracks)))
    assert upload.audio_track == 1
    assert upload.audio_tracks == (
        AudioTrack(1, "dts", 6, "eng", "Film", decodable=True, speech_seconds=0.0),
        AudioTrack(2, "ac4", 0, "", "", decodable=False, speech_seconds=0.0),
    )

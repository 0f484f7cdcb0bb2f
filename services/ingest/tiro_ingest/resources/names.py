"""Resource names: `uploads/{upload}` and `transcriptions/{transcription}`."""

_UPLOADS = "uploads/"
_TRANSCRIPTIONS = "transcriptions/"


def upload_name(upload_id: str) -> str:
    """The name of an upload."""
    return _UPLOADS + upload_id


def upload_id(name: str) -> str:
    """The id in an upload's name, whose form validation has checked."""
    return name.removeprefix(_UPLOADS)


def transcription_name(transcription_id: str) -> str:
    """The name of a job."""
    return _TRANSCRIPTIONS + transcription_id


def transcription_id(name: str) -> str:
    """The id in a job's name, whose form validation has checked."""
    return name.removeprefix(_TRANSCRIPTIONS)

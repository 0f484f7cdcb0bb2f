"""The form of URIs that recordings are fetched from."""

from yarl import URL

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.errors import invalid_argument
from tiro_ingest.outgoing.client import UrlInvalidError, parse_url

URI_CHARACTERS_MAX = 8192


def parse_s3(uri: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`. Raises UrlInvalidError."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not bucket or not key:
        raise UrlInvalidError("an object is named as s3://bucket/key")
    return bucket, key


def check_uri(uri: str) -> None:
    """Refuse a URI that no source accepts. Raises TiroError: URI_INVALID."""
    try:
        if len(uri) > URI_CHARACTERS_MAX:
            raise UrlInvalidError(f"a URI may have {URI_CHARACTERS_MAX} characters at most")  # noqa: TRY301
        if uri.startswith("s3://"):
            parse_s3(uri)
            URL(uri)
        else:
            parse_url(uri)
    except (UrlInvalidError, ValueError) as error:
        raise invalid_argument(reasons.ERROR_REASON_URI_INVALID, str(error), field_path="transcription.uri") from None

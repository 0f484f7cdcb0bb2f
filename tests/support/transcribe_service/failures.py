"""Exceptions with which the service refuses a request or ends a stream, with their HTTP status.

Names, statuses and the member `Message` are those of the public service model (Smithy, `transcribe-streaming`); the
names with status 403 are common to all services of AWS and not in the model. Messages are as clients have seen them
where that is known, else the model's documentation.
"""


class ServiceFailure(Exception):  # noqa: N818 - not an error of ours: an answer of the service
    """An exception that the service answers with, instead of results."""

    def __init__(self, kind: str, status: int, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status
        self.message = message


def bad_request(message: str) -> ServiceFailure:
    """The request or the stream is invalid."""
    return ServiceFailure("BadRequestException", 400, message)


def conflict() -> ServiceFailure:
    """Another stream has the same session ID."""
    text = "A new stream started with the same session ID. The current stream has been terminated."
    return ServiceFailure("ConflictException", 409, text)


def limit_exceeded() -> ServiceFailure:
    """Too many streams, or too much audio in one."""
    text = "You have reached your limit of concurrent streams. Please wait and try your request again."
    return ServiceFailure("LimitExceededException", 429, text)


def internal_failure() -> ServiceFailure:
    """The service has a fault."""
    text = "A problem occurred while processing the audio. Amazon Transcribe terminated processing."
    return ServiceFailure("InternalFailureException", 500, text)


def service_unavailable() -> ServiceFailure:
    """The service is down."""
    return ServiceFailure("ServiceUnavailableException", 503, "The service is currently unavailable.")


def invalid_signature(message: str) -> ServiceFailure:
    """The request is signed wrong, or was signed at another time."""
    return ServiceFailure("InvalidSignatureException", 403, message)


def expired_token() -> ServiceFailure:
    """The temporary credentials have expired."""
    text = "The security token included in the request is expired"
    return ServiceFailure("ExpiredTokenException", 403, text)


def access_denied() -> ServiceFailure:
    """The account's user may not do this."""
    text = "User is not authorized to perform: transcribe:StartStreamTranscription"
    return ServiceFailure("AccessDeniedException", 403, text)


def no_new_audio(seconds: float) -> ServiceFailure:
    """The stream is open, and the client sends no audio."""
    text = f"Your request timed out because no new audio was received for {seconds:g} seconds."
    return bad_request(text)

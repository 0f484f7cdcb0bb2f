"""The meaning of failures: the error that the caller gets, and whether another attempt may help."""

import secrets

import grpc
from google.rpc import error_details_pb2
from google.rpc.status_pb2 import Status

from tiro.events.v1.live_pb2 import SessionRecord
from tiro.events.v1.transcription_pb2 import TranscriptionRecord
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.audio.errors import AudioError, DecodeCrashedError, DecodeTimeoutError
from tiro_core.blobs.errors import storage_unavailable
from tiro_core.blobs.interface import StorageUnavailable
from tiro_core.errors import TiroError, reason_from_name
from tiro_core.logs.logger import get_logger
from tiro_core.messaging.errors import Unreadable
from tiro_core.server.caller_errors import for_caller
from tiro_engines.interface import Engine, EngineRefused, EngineUnavailable, ModelTooLarge, UnsupportedLanguage

_MAY_PASS = (DecodeCrashedError, DecodeTimeoutError)
"""Faults of decoding that another attempt, on another or less busy machine, may not have."""

log = get_logger()


def explain(cause: BaseException) -> tuple[Status, bool]:
    """The error that the caller gets, and whether another attempt may help."""
    if isinstance(cause, AudioError):
        error = TiroError(grpc.StatusCode.INVALID_ARGUMENT, reason_from_name(cause.reason), str(cause))
        return error.to_status(), isinstance(cause, _MAY_PASS)
    if isinstance(cause, TiroError | Unreadable):
        return for_caller(cause).to_status(), False
    if isinstance(cause, UnsupportedLanguage):
        return unsupported_language(cause).to_status(), False
    if isinstance(cause, StorageUnavailable):
        log.warning("blobs_unavailable", error=str(cause))
        return storage_unavailable().to_status(), True
    if isinstance(cause, EngineUnavailable | EngineRefused):
        return engine_fault(cause).to_status(), isinstance(cause, EngineUnavailable)
    error_id = secrets.token_hex(8)
    log.error("attempt_failed", error_id=error_id, exc_info=cause)
    message = f"the engine failed on this recording; the worker's log has details under {error_id}"
    error = TiroError(grpc.StatusCode.INTERNAL, reasons.ERROR_REASON_ENGINE_FAILED, message, {"error_id": error_id})
    return error.to_status(), True


def engine_fault(cause: EngineUnavailable | EngineRefused) -> TiroError:
    """The error that a caller gets when a service that the engine needs fails or refuses."""
    log.warning("engine_fault", error=cause)
    if isinstance(cause, EngineUnavailable):
        return TiroError(grpc.StatusCode.UNAVAILABLE, reasons.ERROR_REASON_ENGINE_UNAVAILABLE, str(cause))
    too_large = isinstance(cause, ModelTooLarge)
    reason = reasons.ERROR_REASON_MODEL_TOO_LARGE if too_large else reasons.ERROR_REASON_ENGINE_REFUSED
    return TiroError(grpc.StatusCode.FAILED_PRECONDITION, reason, str(cause))


def unsupported_language(error: UnsupportedLanguage) -> TiroError:
    """The error of a job or session whose language the engine does not know."""
    return TiroError(grpc.StatusCode.INVALID_ARGUMENT, reasons.ERROR_REASON_UNSUPPORTED_LANGUAGE, str(error))


def require_consent(engine: Engine, record: TranscriptionRecord | SessionRecord) -> None:
    """Refuse to send audio to a cloud that the router has not allowed: it may not have known that the engine is one.

    Raises:
        TiroError: PERMISSION_DENIED, with the reason CLOUD_NOT_ALLOWED.
    """
    if engine.capabilities.cloud and engine.model.engine not in record.allowed_clouds:
        message = f"engine {engine.model.engine!r} is a cloud, and the deployment does not allow it for this audio"
        raise TiroError(grpc.StatusCode.PERMISSION_DENIED, reasons.ERROR_REASON_CLOUD_NOT_ALLOWED, message)


def reason_of(status: Status) -> str:
    """The reason in a status, for logs and metrics."""
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Is(info.DESCRIPTOR):
            detail.Unpack(info)
            return str(info.reason)
    return ""

"""The record of a new session, made from its client's config."""

from tiro.events.v1.live_pb2 import SessionRecord
from tiro.streaming.v1.streaming_pb2 import StreamingConfig
from tiro_core.clock import now
from tiro_core.ids import new_id
from tiro_core.routing.router import Choice
from tiro_streamer.input.decoders.factory import decoded_rate
from tiro_streamer.records.tokens import digest_of


def new_record(tenant: str, config: StreamingConfig, choice: Choice, resume_token: str) -> SessionRecord:
    """The record of a session before a worker claims it.

    Args:
        tenant: The tenant of the session.
        config: The config of the client.
        choice: The engine and model that serve it.
        resume_token: The token that resumes the session. Empty: it cannot be resumed.
    """
    return SessionRecord(
        tenant=tenant,
        session_id=new_id(),
        state=SessionRecord.STATE_WAITING,
        recognition=choice.config,
        alternatives=choice.alternatives,
        policy=choice.policy,
        allowed_clouds=choice.allowed_clouds,
        shadow=choice.shadow,
        enable_interim_results=config.enable_interim_results,
        endpointing=config.endpointing if config.HasField("endpointing") else None,
        sample_rate_hertz=decoded_rate(config.format),
        format=config.format,
        freeze_stable=config.freeze_stable,
        keep_recording=config.keep_recording,
        resume_token_sha256=digest_of(resume_token) if resume_token else b"",
        resume_window=config.resume_window if resume_token else None,
        create_time=now(),
    )


def can_be_resumed(config: StreamingConfig) -> bool:
    """Whether the client wants to resume the session after a lost connection."""
    return config.resume_window.ToMilliseconds() > 0

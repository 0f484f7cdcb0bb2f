"""From a config to the record of a new session."""

from tiro.events.v1.live_pb2 import SessionRecord
from tiro.streaming.v1.streaming_pb2 import StreamingConfig
from tiro_core.clock import now
from tiro_core.ids import new_id
from tiro_core.routing.router import Choice
from tiro_core.server.auth.tenant import current_tenant
from tiro_streamer.input.decoders.factory import line_rate
from tiro_streamer.session.tokens import digest_of


def new_record(config: StreamingConfig, choice: Choice, token: str) -> SessionRecord:
    """The record of a session that nobody has yet.

    Args:
        config: What the client asks for.
        choice: What serves it.
        token: What resumes the session. Empty when nothing does.
    """
    return SessionRecord(
        tenant=current_tenant(),
        session_id=new_id(),
        state=SessionRecord.STATE_WAITING,
        recognition=choice.config,
        alternatives=choice.alternatives,
        policy=choice.policy,
        allowed_clouds=choice.allowed_clouds,
        shadow=choice.shadow,
        enable_interim_results=config.enable_interim_results,
        endpointing=config.endpointing if config.HasField("endpointing") else None,
        sample_rate_hertz=line_rate(config.format),
        format=config.format,
        freeze_stable=config.freeze_stable,
        keep_recording=config.keep_recording,
        resume_token_sha256=digest_of(token) if token else b"",
        resume_window=config.resume_window if token else None,
        create_time=now(),
    )


def wants_resuming(config: StreamingConfig) -> bool:
    """Whether the client wants the session to wait for it when the connection is lost."""
    return config.resume_window.ToMilliseconds() > 0

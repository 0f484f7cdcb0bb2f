"""Limits on the time and memory of one probe, file or live stream."""

from dataclasses import dataclass

MIB = 1024 * 1024

DURATION_SECONDS_MIN = 0.1
"""A shorter recording cannot hold a word. It is also shorter than one analysis window of the models."""


@dataclass(frozen=True, kw_only=True)
class DecodeLimits:
    """Limits on one decoding process.

    Attributes:
        duration_seconds_min: less decoded audio than this is AUDIO_TOO_SHORT.
        duration_seconds_max: more decoded audio than this is AUDIO_TOO_LONG, with any duration in the header.
        timeout_seconds: time that the caller may spend waiting for the process, summed over the whole file. Time the
            caller takes to use the audio does not count: a slow reader only makes the decoder pause.
        cpu_seconds: processor time of the process, at which the kernel kills it.
        hole_seconds_max: the longest hole in a container's timestamps for which silence is inserted. A longer one is
            taken for a false timestamp, and reported.
        memory_bytes: address space of the process (RLIMIT_AS). The idle process maps about 140 MiB.
    """

    duration_seconds_min: float = DURATION_SECONDS_MIN
    duration_seconds_max: float = 10 * 3600.0
    timeout_seconds: float = 300.0
    cpu_seconds: int = 300
    hole_seconds_max: float = 3600.0
    memory_bytes: int = 1024 * MIB

"""The limits that the kernel puts on a decoding process."""

import resource

from tiro_core.audio.limits import DecodeLimits

KILL_AFTER_CPU_SECONDS = 5
"""Between SIGXCPU, which names the cause of death, and SIGKILL."""


def confine(limits: DecodeLimits) -> None:
    """Give up what decoding does not need, for good.

    No new descriptor can be opened after this, by any name or address: the process is left with the ones it was given.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds, limits.cpu_seconds + KILL_AFTER_CPU_SECONDS))

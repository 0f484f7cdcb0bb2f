"""The jobs that arguments name: by name, by id, or by the first or last characters of an id."""

import re
from contextlib import aclosing

import grpc

from tiro_client.client import AsyncClient
from tiro_client.errors import NotFound

JOBS_SEARCHED_MAX = 1000
"""The newest jobs among which a short id is looked up."""
SHORT_ID_MIN = 4
"""The fewest characters of a short id."""
_PREFIX = "transcriptions/"
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SHORT_ID = re.compile(r"[0-9a-f-]{4,36}")
_NAMED_MAX = 3


async def full_id(client: AsyncClient, text: str) -> str:
    """The id of the job that a person means.

    Args:
        client: An open client.
        text: A job's name or id, or the first or last characters of the id of one of the `JOBS_SEARCHED_MAX` newest
            jobs. Ids begin with the time, so that the last characters differ most.

    Raises:
        NotFound: No such job, or several.
    """
    wanted = text.strip().lower().removeprefix(_PREFIX)
    if _ID.fullmatch(wanted):
        return wanted
    if not _SHORT_ID.fullmatch(wanted):
        raise _unknown(
            f"{text!r} is not the id of a job: `tiro jobs list` shows ids; {SHORT_ID_MIN} of an id's first or last "
            "characters are enough if no other job has them"
        )
    found = await _matching(client, wanted)
    if len(found) == 1:
        return found[0]
    if not found:
        raise _unknown(f"none of the {JOBS_SEARCHED_MAX} newest jobs has an id that begins or ends with {wanted!r}")
    some = ", ".join(found[:_NAMED_MAX]) + (", ..." if len(found) > _NAMED_MAX else "")
    raise _unknown(f"{len(found)} jobs have ids that begin or end with {wanted!r}: {some}")


def _unknown(sentence: str) -> NotFound:
    return NotFound(sentence, code=grpc.StatusCode.NOT_FOUND)


async def _matching(client: AsyncClient, wanted: str) -> list[str]:
    found: list[str] = []
    async with aclosing(client.list(page_size=JOBS_SEARCHED_MAX)) as jobs:
        count = 0
        async for job in jobs:
            job_id = job.name.removeprefix(_PREFIX)
            if job_id.startswith(wanted) or job_id.endswith(wanted):
                found.append(job_id)
            count += 1
            if count == JOBS_SEARCHED_MAX:
                break
    return found

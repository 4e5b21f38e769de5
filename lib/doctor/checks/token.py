"""A Hub token that the Hub has refused, by what is known: nothing is asked."""

import hashlib
from typing import NamedTuple

from lib.core.settings import settings
from lib.doctor.finding import Check, Finding, Fix, Severity
from lib.hub import heard
from lib.hub.errors import token_refused
from lib.hub.token import TokenOrigin, token_origin
from lib.jobs import jobs

NAME = "token"
JOBS = 20  # that are looked at
TAIL_LINES = 20


class Facts(NamedTuple):
    """Where the token is from, and whether it was refused."""

    origin: TokenOrigin
    was_refused: bool
    mark: str = ""  # another text for another token


def gathered() -> Facts:
    """From what this process heard, and from the ends of jobs since the token was saved."""
    token = settings().hf_token
    if token is None:
        return Facts(TokenOrigin.NOWHERE, False)
    mark = hashlib.sha256(token.get_secret_value().encode()).hexdigest()[:16]
    refused = heard.was_refused(mark) or _in_a_job(heard.accepted_at(mark))
    return Facts(token_origin(), refused, mark)


def _in_a_job(since: float) -> bool:
    """Did a job end for it, after the token was saved and after it last did well?"""
    sentence, saved = token_refused().message, settings().token_file
    since = max(since, saved.stat().st_mtime if saved.is_file() else 0.0)
    later = [job for job in jobs.recent(JOBS) if job.created >= since and not job.is_active]
    return any(job.exit_code != 0 and sentence in job.log_tail(TAIL_LINES) for job in later)


def judged(facts: Facts) -> list[Finding]:
    """What mends it depends on where the token is from."""
    if not facts.was_refused or facts.origin == TokenOrigin.NOWHERE:
        return []
    where = {
        TokenOrigin.ENVIRONMENT: "in the environment (HF_TOKEN)",
        TokenOrigin.SAVED: "saved in Berth",
        TokenOrigin.LOGIN: "of the Hub's own tool",
    }
    return [
        Finding(
            id=NAME,
            severity=Severity.WARNING,
            title=f"The Hub refuses the token {where[facts.origin]}.",
            wanted="A token that is valid, or none: public models need none.",
            why="With a token that is no good even public models are refused.",
            fix=_fix(facts.origin),
            facts=(facts.mark,),
        )
    ]


def _fix(origin: TokenOrigin) -> Fix:
    if origin == TokenOrigin.SAVED:
        return Fix(label="Forget the token", action="forget_token")
    command = "unset HF_TOKEN" if origin == TokenOrigin.ENVIRONMENT else "hf auth logout"
    return Fix(label="Take it away, then start Berth again", command=command)


CHECK = Check(NAME, gathered, judged)

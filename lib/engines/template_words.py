"""What a chat template's refusal means: engines quote lines of its source instead."""

import re

_KNOWN = (
    (
        re.compile(
            r"[Rr]oles must alternate|must alternate user|[Oo]nly user,? (?:and )?assistant"
        ),
        "This model's template takes questions and answers in turn alone, a question first.",
        "Send neighbouring messages of one role as one.",
    ),
    (
        re.compile(r"[Ss]ystem (?:role|message|prompt)s? (?:is |are )?not supported"),
        "This model's template takes no system prompt.",
        "Write what it says into the first question.",
    ),
    (
        re.compile(r"response prefill|2 or more assistant messages at the end"),
        "This engine cannot go on from an answer that has begun: what there is stays.",
        "Ask again, with a higher limit for tokens.",
    ),
)


def plain(said: str) -> tuple[str, str] | None:
    """What is wrong and what to do; None where it is not a template that refuses."""
    return next(((what, fix) for pattern, what, fix in _KNOWN if pattern.search(said)), None)

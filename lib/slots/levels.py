"""Does a slot work? Four levels, from the engine out to a real answer through all three."""

import os
import time
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

from lib.core.errors import BadInput, EngineError
from lib.core.http import Refused, get_json, request_json
from lib.core.names import shown
from lib.engines.base import ChatOptions, Delta, DeltaStream, Message, Upstream
from lib.engines.openai_api import authorization, chat_stream, complete_stream
from lib.jobs.report import Report
from lib.jobs.trial import tried
from lib.slots import probe
from lib.slots.probe import Engine

QUESTION = "What is the capital of France?"
BEGINNING = "The capital of France is"
ANSWER_TOKENS = 200
LEAVE_SECONDS = 15.0
LOOK_SECONDS = 0.1
LONGEST_SHOWN = 300
CLOSED_ROUTES = ("/invocations", "/tokenize", "/metrics")  # the engine has them open, without key
VARIABLE = "BERTH_TOKEN_SECONDS"


class Chain(NamedTuple):
    """What stands in front of the engine; None for what was left out."""

    nginx: Upstream | None  # …/slot-N/v1, to the engine itself
    litellm: Upstream | None
    whole: Upstream  # the way that clients take: as many of them as there are


def run(engine: Engine, chain: Chain, report: Report) -> None:
    """All levels, each a line and an event; NoAnswer at the first that fails."""
    tried("the engine gives a token", lambda: probe.token(engine, token_seconds()), report)
    if chain.nginx:
        tried("nginx leads to the engine", lambda: _through_nginx(chain.nginx), report)
    if chain.litellm:
        tried("LiteLLM lists the model", lambda: _listed(chain.litellm), report)
    said = tried(f"a real answer {_way(chain)}", lambda: _text(_asked(chain.whole)), report)
    report.say(f"  It says: {shown(' '.join(said.split()), LONGEST_SHOWN)}")
    tried("a client that leaves ends the work", lambda: _left(engine, chain.whole), report)
    for name in left_out(chain):
        report.note(f"  not tested: {name}")


def left_out(chain: Chain) -> list[str]:
    """The levels that there are none of."""
    gone = [] if chain.nginx else ["nginx, which was left out"]
    return gone if chain.litellm else [*gone, "LiteLLM, which was left out"]


def token_seconds() -> float:
    """How long the engine may take for its first token: `BERTH_TOKEN_SECONDS`."""
    try:
        return float(os.environ.get(VARIABLE) or probe.TOKEN_SECONDS)
    except ValueError as error:
        raise BadInput(f"{VARIABLE} is no number.", "Correct or unset it.") from error


def _way(chain: Chain) -> str:
    names = [name for name, there in (("nginx", chain.nginx), ("LiteLLM", chain.litellm)) if there]
    return f"through {' and '.join(names)}" if names else "from the engine"


def _through_nginx(to: Upstream | None) -> None:
    """The model is there, and what must not be open is not."""
    if to is None:
        return
    _listed(to)
    base = to.base_url.removesuffix("/v1")
    for route in CLOSED_ROUTES:
        try:
            request_json("POST", f"{base}{route}", {"prompt": "x"}, authorization(to.key))
        except Refused as error:
            if error.http_status == 404:
                continue
        raise EngineError(
            f"nginx lets {route} through, which answers everybody.",
            "Run this again: it writes the list of open routes anew.",
        )


def _listed(to: Upstream | None) -> None:
    if to is None:
        return
    answer = get_json(f"{to.base_url}/models", authorization(to.key))
    rows = answer.get("data", []) if isinstance(answer, dict) else []
    if to.model not in [row.get("id") for row in rows if isinstance(row, dict)]:
        raise EngineError(f"{to.model} is not in its list of models.", "Run this again.")


def _asked(to: Upstream, tokens: int | None = ANSWER_TOKENS) -> DeltaStream:
    """A question; for a model without a chat template, the beginning of its answer.

    Without a number of tokens the answer may be as long as the context has room for.
    """
    options = ChatOptions(temperature=0, max_tokens=tokens)
    question = [Message(role="user", content=QUESTION)]
    chat = chat_stream(to.base_url, to.model, question, options, to.key)
    try:
        first = next(chat)
    except EngineError as error:
        if "chat template" not in error.message:
            raise
        return complete_stream(to.base_url, to.model, BEGINNING, options, to.key)
    return _Begun(first, chat)


class _Begun(Iterator[Delta]):
    """A reply whose first piece was looked at."""

    def __init__(self, first: Delta, rest: DeltaStream) -> None:
        self._first, self._rest = [first], rest

    def __next__(self) -> Delta:
        return self._first.pop() if self._first else next(self._rest)

    def close(self) -> None:
        self._rest.close()


def _text(reply: DeltaStream) -> str:
    """The whole reply, its reasoning where there is nothing else."""
    with closing(reply):
        deltas = list(reply)
    text = "".join(delta.text for delta in deltas) or "".join(d.reasoning for d in deltas)
    if not text.strip():
        raise EngineError("The answer was empty.", "Ask it yourself: it may be no chat model.")
    return text


def _left(engine: Engine, to: Upstream) -> None:
    """Begin a long answer, leave at its first word, and see the engine come to rest."""
    with closing(_asked(to, None)) as reply:
        next(reply)
    give_up_at = time.monotonic() + LEAVE_SECONDS
    while probe.figures(engine).running:
        if time.monotonic() > give_up_at:
            raise EngineError(
                "The engine works on for a client that has left.",
                "Restart the gateway: systemctl restart berth-litellm",
            )
        time.sleep(LOOK_SECONDS)


def steps(chain: Chain) -> Iterator[str]:
    """What would be tested, for a dry run."""
    yield "the engine gives a token"
    if chain.nginx:
        yield "nginx leads to the engine, and nowhere else"
    if chain.litellm:
        yield "LiteLLM lists the model"
    yield f"a real answer {_way(chain)}"
    yield "a client that leaves ends the work"

"""Does a model that was just started work? Four tests, from the engine out to the gateway.

python -m lib.deploy.smoke NAME [--engine ENGINE]
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from lib import dashboard
from lib.core import owner_key
from lib.core.errors import EngineError
from lib.core.http import get_json, request_json
from lib.core.names import shown
from lib.engines import engine_of, find_model
from lib.engines.base import ChatOptions, DeltaStream, Engine, Message, Model, State, Upstream
from lib.engines.openai_api import authorization, chat_stream, complete_stream
from lib.fit.kinds import Task
from lib.jobs import phase
from lib.jobs.report import Report
from lib.jobs.trial import tried

QUESTION = "What is the capital of France?"
BEGINNING = "The capital of France is"  # for a model that can only continue a text
ANSWER_TOKENS = 200
PROBE_TOKENS = 16  # where the way is tested, not the answer
LONGEST_SHOWN = 300
READ_SECONDS = 120.0


def check(name: str, engine: str, report: Report) -> None:
    """All tests, each a line and an event; NoAnswer at the first that fails."""
    report.begin("test", f"Testing {name}.")
    model = tried("listed", lambda: _listed(name, engine), report)
    to = tried("the engine's own API answers", lambda: _upstream(model), report)
    gateway = _gateway(name)
    if model.writes:
        _test_writing(model, to, gateway, report)
    else:
        _test_reading(model, to, gateway, report)
    report.end(f"{name} is ready at {(gateway or to).base_url}")


def _test_writing(model: Model, to: Upstream, gateway: Upstream | None, report: Report) -> None:
    said = tried("it answers a question", lambda: _text(_asked(engine_of(model), model)), report)
    report.say(f"  It says: {shown(' '.join(said.split()), LONGEST_SHOWN)}")
    tried("the OpenAI endpoint answers", lambda: _text(_over_openai(to, model)), report)
    if gateway:
        tried("Berth's gateway answers", lambda: _text(_over_openai(gateway, model)), report)


def _test_reading(model: Model, to: Upstream, gateway: Upstream | None, report: Report) -> None:
    """What makes vectors or ranks is asked for those."""
    ranks = model.task == Task.RANKING
    what, test = ("it ranks two texts", ranked) if ranks else ("it makes a vector", embedded)
    tried(what, lambda: test(to), report)
    if gateway:
        tried("Berth's gateway answers", lambda: test(gateway), report)


def embedded(to: Upstream) -> int:
    """How long the vector is that it makes of a text; EngineError where it makes none."""
    said = _post(to, "embeddings", {"model": to.model, "input": QUESTION})
    vector = said["data"][0]["embedding"] if said.get("data") else []
    if not any(vector):
        raise EngineError("The vector was empty.", "Open Models to see the model's log.")
    return len(vector)


def ranked(to: Upstream) -> int:
    """How many of two texts it ranks; EngineError where it ranks none."""
    texts = ["Paris is the capital of France.", "Bread is made of flour."]
    said = _post(to, "rerank", {"model": to.model, "query": QUESTION, "documents": texts})
    if len(said.get("results", [])) != len(texts):
        raise EngineError("It ranked nothing.", "Open Models to see the model's log.")
    return len(texts)


def _post(to: Upstream, path: str, body: dict[str, Any]) -> dict[str, Any]:
    said = request_json(
        "POST", f"{to.base_url}/{path}", body, authorization(to.key), seconds=READ_SECONDS
    )
    return said if isinstance(said, dict) else {}


def _listed(name: str, engine: str) -> Model:
    model = find_model(name, engine)
    if model.state != State.READY:
        raise EngineError(f"{name} is {model.state}.", model.problem or "Start it on Models.")
    return model


def _upstream(model: Model) -> Upstream:
    """Where its engine serves it, after asking there."""
    to = engine_of(model).upstream(model.name)
    if to is None:
        raise EngineError(f"{model.name} does not run.", "Start it on the Models page.")
    get_json(f"{to.base_url}/models", authorization(to.key))
    return to


def _asked(engine: Engine, model: Model) -> DeltaStream:
    options = ChatOptions(temperature=0, max_tokens=ANSWER_TOKENS)
    if model.can_chat:
        return engine.chat(model.name, [Message(role="user", content=QUESTION)], options)
    return engine.complete(model.name, BEGINNING, options)


def _over_openai(to: Upstream, model: Model) -> DeltaStream:
    options = ChatOptions(temperature=0, max_tokens=PROBE_TOKENS)
    if model.can_chat:
        question = [Message(role="user", content=QUESTION)]
        return chat_stream(to.base_url, to.model, question, options, to.key)
    return complete_stream(to.base_url, to.model, BEGINNING, options, to.key)


def _text(reply: DeltaStream) -> str:
    """The whole reply, its reasoning where there is nothing else."""
    with closing(reply):
        deltas = list(reply)
    text = "".join(delta.text for delta in deltas) or "".join(d.reasoning for d in deltas)
    if not text.strip():
        raise EngineError("The answer was empty.", "Open Models to see the model's log.")
    return text


def _gateway(name: str) -> Upstream | None:
    """Berth's own endpoint, where the dashboard runs."""
    found = dashboard.running()
    if found is None:
        return None
    return Upstream(base_url=f"{found.url}/v1", model=name, key=owner_key.sent())


def main(arguments: Sequence[str] | None = None) -> int:
    """Test the model named and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m lib.deploy.smoke", description="Test a model that runs."
    )
    parser.add_argument("name")
    parser.add_argument("--engine", default="", help="where two engines have one of this name")
    given = parser.parse_args(arguments)
    return phase.run(lambda report: check(given.name, given.engine, report))


if __name__ == "__main__":
    sys.exit(main())

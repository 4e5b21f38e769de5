"""One request of a batch to the gateway on this machine, and what its answer means for the line."""

import json
import secrets
import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from lib import dashboard
from lib.batches.record import Asked
from lib.batches.results import Result
from lib.core import http, owner_key
from lib.core.errors import BadInput, EngineDown, EngineError
from lib.core.http import Posted
from lib.core.names import model_name, shown

MOST_TRIES = 4  # of a line whose engine fails at it
LONGEST_WAIT_SECONDS = 60.0  # whatever a Retry-After says
PROOF = "Berth-Batch"  # the header by which the gateway knows whose requests these are
USER_AGENT = "berth-batch"  # a program of its owner's, unlike Berth's own tests
TOLD = ("berth-ignored", "berth-note")  # what the engine did not get, or takes otherwise
AWAY_SECONDS = 2.0  # until a server is asked again that was not there
_BUSY, _AWAY = 429, 503
_PASSING = (408, 409, 500, 502, 504)  # may go well the next time


class Outcome(NamedTuple):
    """What came of one try: a result for good, or a wish to try again."""

    custom_id: str
    result: Result | None = None
    wait_seconds: float = 0.0  # before the next try, where there is none
    counts: bool = False  # among the tries of this line
    slows: bool = False  # fewer are to be under way
    note: str = ""  # what it waits for


class NoServer(EngineDown):
    """Berth itself does not run, or is starting again."""


def ask(asked: Asked, custom_id: str, body: bytes, tried: int) -> Outcome:
    """Ask once; `tried` times it was in vain before."""
    try:
        said = http.post_json(_url(asked.endpoint), body, _headers(asked))
    except EngineDown as error:
        return Outcome(custom_id, wait_seconds=AWAY_SECONDS, note=error.message)
    except EngineError as error:  # it took too long, or the connection broke
        lost = Result(custom_id, code="request_timeout", message=error.message)
        return _again(lost, _pause(tried), tried, error.message)
    return judged(custom_id, said, tried)


def judged(custom_id: str, said: Posted, tried: int) -> Outcome:
    """What this answer means for the line."""
    body = _json(said.body)
    request_id = said.headers.get("x-request-id") or f"req_{secrets.token_hex(12)}"
    told = {name: said.headers[name] for name in TOLD if name in said.headers}
    result = Result(custom_id, said.status, body, request_id, told)
    if said.status in (_BUSY, _AWAY):
        wait = _retry_after(said.headers, AWAY_SECONDS)
        slows = said.status == _BUSY
        return Outcome(custom_id, wait_seconds=wait, slows=slows, note=_message(body))
    if body is None:
        text = (
            f"The answer {said.status} is not JSON: {shown(said.body.decode('utf-8', 'replace'))}"
        )
        odd = Result(custom_id, code="invalid_answer", message=text)
        return _again(odd, _pause(tried), tried, text)
    if said.status in _PASSING:
        return _again(result, _pause(tried), tried, _message(body))
    return Outcome(custom_id, result)


def find_model(asked: Asked, name: str) -> bool:
    """Does the gateway know this model? NoServer where nobody is there to say."""
    try:
        url = _url(f"/v1/models/{quote(model_name(name), safe='/:@')}")
        http.get_json(url, _headers(asked))
    except BadInput:  # what is no name is no model's name
        return False
    except http.Refused as refused:
        if refused.http_status != 404:
            raise
        return False
    return True


def begin(
    asked: Asked, custom_id: str, body: bytes, tried: int, done: Callable[[Outcome], None]
) -> None:
    """Ask in a thread, which does not keep the process from ending."""

    def asking() -> None:
        done(ask(asked, custom_id, body, tried))

    threading.Thread(target=asking, name="a line of a batch", daemon=True).start()


def _again(result: Result, wait: float, tried: int, note: str) -> Outcome:
    if tried + 1 >= MOST_TRIES:
        return Outcome(result.custom_id, result)
    return Outcome(result.custom_id, wait_seconds=wait, counts=True, slows=True, note=note)


def _pause(tried: int) -> float:
    return float(min(2**tried, 30))


def _retry_after(headers: Mapping[str, str], usual: float) -> float:
    """Seconds, or a date, as HTTP has it; dates are not told by anybody here."""
    try:
        told = float(headers.get("retry-after", ""))
    except ValueError:
        return usual
    return min(max(told, 0.1), LONGEST_WAIT_SECONDS) if told == told else usual


def _json(body: bytes) -> Any:
    """None for what is no JSON, or null."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _message(body: Any) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    message = error.get("message") if isinstance(error, dict) else ""
    return message if isinstance(message, str) else ""


def _url(path: str) -> str:
    found = dashboard.running()
    if found is None:
        raise NoServer("Berth does not run.", "Start it: the batch goes on by itself.")
    return f"{found.url}{path}"


def _headers(asked: Asked) -> dict[str, str]:
    named = {"User-Agent": USER_AGENT, PROOF: f"{asked.id}:{asked.proof}"}
    return {**owner_key.authorization(), **named}

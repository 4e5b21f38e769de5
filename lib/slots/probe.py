"""A slot's engine asked whether it works: its health, a token, and what memory it really got.

`/health` alone is no answer: it stays 200 while the engine behind it stands still.
"""

from pydantic import SecretStr

from lib.core.errors import BerthError, NoAnswer
from lib.core.http import get_json, get_text, request_json
from lib.core.values import Frozen
from lib.engines.openai_api import authorization
from lib.engines.vllm.metrics import Figures, parsed

HEALTH_SECONDS = 5.0
TOKEN_SECONDS = 120.0  # the first may have to compile something


class Engine(Frozen):
    """Where it answers."""

    base_url: str  # without /v1
    name: str  # the model's, as served
    key: SecretStr


class Capacity(Frozen):
    """What the engine really has room for; 0 where it does not tell."""

    context: int = 0  # tokens of the longest conversation
    kv_tokens: int = 0  # of all conversations together
    conversations: float = 0.0  # of full length, at the same time


def is_healthy(engine: Engine) -> bool:
    """Does it say that it works? Never raises."""
    try:
        request_json("GET", f"{engine.base_url}/health", seconds=HEALTH_SECONDS)
    except BerthError:
        return False
    return True


def token(engine: Engine, seconds: float = TOKEN_SECONDS) -> None:
    """Have it continue a word by one token; NoAnswer where it does not."""
    body = {"model": engine.name, "prompt": "Hello", "max_tokens": 1}
    url = f"{engine.base_url}/v1/completions"
    try:
        answer = request_json("POST", url, body, authorization(engine.key), seconds)
    except BerthError as error:
        raise NoAnswer(
            f"The engine says that it is healthy, and gives no token: {error.message}",
            "Restart it; where that does not help, its log says more.",
        ) from error
    if not isinstance(answer, dict) or not answer.get("choices"):
        raise NoAnswer("The engine's answer has no text.", "Restart it.")


def capacity(engine: Engine) -> Capacity:
    """From its metrics and its list of models; EngineError where they cannot be had."""
    told = figures(engine)
    listed = get_json(f"{engine.base_url}/v1/models", authorization(engine.key))
    rows = listed.get("data", []) if isinstance(listed, dict) else []
    contexts = [row.get("max_model_len") for row in rows if isinstance(row, dict)]
    return Capacity(
        context=next((c for c in contexts if isinstance(c, int)), 0),
        kv_tokens=told.kv_tokens or 0,
        conversations=told.concurrency or 0.0,
    )


def figures(engine: Engine) -> Figures:
    """What it tells of itself."""
    return parsed(get_text(f"{engine.base_url}/metrics"))

"""What Ollama says when it fails, in words for the user: one table, read from the top."""

import json
import re
from typing import Any, NamedTuple

from lib.core.errors import (
    BadInput,
    BerthError,
    BrokenFile,
    Conflict,
    DoesNotFit,
    EngineError,
    NetworkError,
    NoSpace,
    NotFound,
    TooLong,
)
from lib.core.http import Refused
from lib.core.names import shown
from lib.engines import openai_api

LONGEST_SAID = 300
ENDED_EARLY = "Ollama ended in the middle of its reply."
ASK_AGAIN = "Send it again: Ollama loads the model anew."


class _Cause(NamedTuple):
    """A text of Ollama's, and what it means; `{0}` … are the groups of the pattern."""

    pattern: str
    error: type[BerthError]
    message: str
    fix: str


_CAUSES = (
    _Cause(
        r"manifest: file does not exist|manifest unknown",
        NotFound,
        "Neither the Ollama library nor the Hub has this model under this name.",
        "Check the name and the tag. A private or gated one looks the same from here.",
    ),
    _Cause(
        r"realm host|unauthorized|access denied|manifest: 40[13]",
        NotFound,
        "This model is private or gated: Ollama was not let in.",
        "Ollama shows its own key, not the Hub token: add ~/.ollama/id_ed25519.pub to your account"
        " on the Hub, or use the built-in engine.",
    ),
    _Cause(
        r"model ['\"](.+?)['\"] not found",
        NotFound,
        "Ollama has no model “{0}”.",
        "Open Models to see which there are.",
    ),
    _Cause(
        r"sharded GGUF",
        BadInput,
        "This model is cut into several files, which Ollama cannot pull.",
        "Choose a smaller quantization that is one file, or use the built-in engine.",
    ),
    _Cause(
        r"not GGUF or is not compatible",
        BadInput,
        "This repository has no GGUF file that Ollama can run.",
        "Choose a repository whose name ends in -GGUF.",
    ),
    _Cause(
        r"not a valid quantization",
        BadInput,
        "This repository has no such quantization.",
        "Choose one that its file list shows.",
    ),
    _Cause(
        r"invalid model name|model is required|name .* is invalid",
        BadInput,
        "Ollama does not take this model name.",
        "Use letters, digits and . _ - with a tag after a colon.",
    ),
    _Cause(
        r"requires more system memory \((.+?)\) than is available \((.+?)\)",
        DoesNotFit,
        "The model needs {0} of memory, and {1} are free.",
        "Stop another model, or choose a smaller quantization or context.",
    ),
    _Cause(
        r"out of memory|failed to allocate|unable to allocate",
        DoesNotFit,
        "There is not enough memory for this model.",
        "Stop another model, or choose a smaller quantization or context.",
    ),
    _Cause(
        r"no space left",
        NoSpace,
        "The disk that holds Ollama's models is full.",
        "Remove a model, then pull again: what came is kept.",
    ),
    _Cause(
        r"digest mismatch, expected",
        Conflict,
        "The file changed while it was copied.",
        "Try again when nothing writes to it.",
    ),
    _Cause(
        r"digest mismatch",
        NetworkError,
        "The download arrived damaged, and Ollama removed it.",
        "Pull it again.",
    ),
    _Cause(
        r"failed to validate GGUF",
        BrokenFile,
        "Ollama cannot use this file: it is damaged, or of a kind that this Ollama does not know.",
        "Update Ollama, use the built-in engine, or download the file again.",
    ),
    _Cause(
        r"not in GGUF format|exceeds file size|^unexpected EOF$|unsupported (?:gguf )?version",
        BrokenFile,
        "Ollama finds this file cut, damaged or no GGUF at all.",
        "Download it again, or choose another file of this model.",
    ),
    _Cause(
        r"longer than the context|exceeds? (?:the |maximum )*context",
        TooLong,
        "The conversation is longer than the context of this model.",
        "Shorten it or begin a new one, or start the model with a larger context.",
    ),
    _Cause(
        r"does not support (\w+)",
        BadInput,
        "This model is not made for this: it has no {0}.",
        "Choose another model.",
    ),
    _Cause(
        r"server busy",
        Conflict,
        "Ollama has too many requests waiting.",
        "Try again when some of them are answered.",
    ),
    _Cause(
        r"unknown model architecture: '?([\w.-]+)",
        EngineError,
        "This Ollama does not know models of the kind “{0}”.",
        "Update Ollama, or use the built-in engine.",
    ),
    _Cause(
        r"(?:has terminated|no longer running|has unexpectedly stopped)(?:[:,] )?(.*)",
        EngineError,
        "The model's process ended. {0}",
        "Try again; where it ends again, choose a smaller quantization or context.",
    ),
    _Cause(r"while running the model", EngineError, ENDED_EARLY, ASK_AGAIN),
    _Cause(
        r"llama-server chat error: map\[.*message:(.+?)(?: type:|\])",
        EngineError,
        "The engine refused: {0}.",
        "Change the request, then try again.",
    ),
    _Cause(
        r"dial tcp|no such host|lookup |i/o timeout|connection re|max retries|tls:|x509|\bEOF\b",
        NetworkError,
        "Ollama could not reach the place that holds this model.",
        "Check the network or Ollama's proxy settings, then try again.",
    ),
)


def explained_error(said: str, status: int = 500) -> BerthError:
    """The error for a body, or an `error` in a stream, with Ollama's own text where none fits."""
    inner = _innermost(said)
    if isinstance(inner, dict):  # llama-server's own error, which Ollama passes on as it is
        return openai_api.explained(Refused(status, json.dumps({"error": inner})))
    for cause in _CAUSES:
        match = re.search(cause.pattern, inner, re.IGNORECASE)
        if match:
            groups = [shown(group or "", LONGEST_SAID) for group in match.groups()]
            return cause.error(cause.message.format(*groups).rstrip(), cause.fix)
    text = shown(inner, LONGEST_SAID).rstrip(".") or f"status {status}"
    return EngineError(f"Ollama refused: {text}.", "Ollama's own log may say more.")


def _innermost(said: str) -> str | dict[str, Any]:
    """What stands inside errors that are JSON in a string in JSON."""
    try:
        inner = json.loads(said)
    except (ValueError, RecursionError):
        return said
    if isinstance(inner, dict):
        inner = inner.get("error", inner)
    if isinstance(inner, str) and inner != said:
        return _innermost(inner)
    return inner if isinstance(inner, dict) else said

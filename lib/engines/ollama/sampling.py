"""How Ollama draws a reply where nobody chooses."""

import contextlib
import math

from lib.engines.base import Sampling

# docs.ollama.com/modelfile, "Valid Parameters and Values".
USUAL = {"temperature": 0.8, "top_p": 0.9, "top_k": 40, "min_p": 0.0, "repeat_penalty": 1.1}


def usual(parameters: str) -> Sampling:
    """`parameters` are a model's own, as `/api/show` tells them: a name and a value a line."""
    told = dict(USUAL)
    for line in parameters.splitlines():
        name, _, value = line.strip().partition(" ")
        with contextlib.suppress(ValueError):
            if name in USUAL and math.isfinite(number := float(value)):
                told[name] = number
    return Sampling(**told)

"""What the fake Ollama says: a few canned replies, and counted tokens for everything else."""

import json
from dataclasses import dataclass
from typing import Any

TEMPLATE_TOKENS = 30  # what a chat template adds to the words of a prompt
_CANNED = {
    "What is the capital of France?": "The| capital| of| France| is| Paris|.",
    "Count from 1 to 50.": "|".join(f"{n}|,| " for n in range(1, 50)) + "|50|.",
    "Say hi.": "Hello|!| How| can| I| assist| you| today|?",
    "The capital of France is": " Paris|.",
}


@dataclass
class Reply:
    """One reply: its tokens, how many of them are thinking, and why it ends."""

    prompt_tokens: int
    tokens: list[str]
    thinking: int
    reason: str

    @property
    def counted(self) -> int:
        """Tokens as the engine counts them: the one that ends a reply too."""
        return len(self.tokens) + (self.reason == "stop")

    def totals(self) -> dict[str, Any]:
        """The figures of the last line, in nanoseconds where they are times."""
        return {
            "total_duration": 614_597_306,
            "load_duration": 809_304,
            "prompt_eval_count": self.prompt_tokens,
            "prompt_eval_duration": 322_239_000,
            "eval_count": self.counted,
            "eval_duration": 40_000_000 * self.counted,
        }


def reply_to(
    prompt: str, limit: int, own: list[str], schema: Any, thinking: int, is_raw: bool = False
) -> Reply:
    """The reply to the last line of a prompt; `own` is said instead of what is canned."""
    tokens = own or _of_schema(schema) or _canned(prompt.rpartition("\n")[2].strip())
    is_cut = 0 < limit <= len(tokens)
    return Reply(
        prompt_tokens=len(prompt.split()) + (0 if is_raw else TEMPLATE_TOKENS),
        tokens=tokens[:limit] if is_cut else tokens,
        thinking=thinking,
        reason="length" if is_cut else "stop",
    )


def _canned(asked: str) -> list[str]:
    if asked in _CANNED:
        return _CANNED[asked].split("|")
    return [f"t{n} " for n in range(20)]


def _of_schema(schema: Any) -> list[str]:
    """An object that fits, its properties in the order of the alphabet."""
    if not isinstance(schema, dict):
        return []
    kinds = {name: of.get("type") for name, of in sorted(schema.get("properties", {}).items())}
    value = {name: 31 if kind == "integer" else "Ann" for name, kind in kinds.items()}
    return json.dumps(value, indent=2).splitlines(keepends=True)

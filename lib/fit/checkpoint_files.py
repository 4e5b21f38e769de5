"""Which of a repository's files make up a model that vLLM serves, and which stay where they are.

vLLM reads the safetensors files at the top of the folder, the configuration and the tokenizer.
Repositories also hold the same weights in other formats, the author's own copies of them, and
programs: none of that is fetched. A pickle (`.bin`) can run anything when it is read.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lib.core.errors import BadInput
from lib.core.names import shown
from lib.core.values import Frozen
from lib.core.words import count

INDEX = "model.safetensors.index.json"
CONFIG = "config.json"
ORIGINAL = "Choose the original repository, or one that is quantized in FP8, AWQ, GPTQ or NVFP4."

_WEIGHTS = re.compile(r"(?P<stem>[^/]+?)(?:-(?P<number>\d{5})-of-(?P<count>\d{5}))?\.safetensors")
_BESIDE = re.compile(
    r"(?:additional_chat_templates/)?[^/]+\.(?:json|txt|model|tiktoken|jinja|bpe|vocab)"
)
_NOT_BESIDE = re.compile(
    r"(?:.*\.bin\.index|.*(?<!model)\.safetensors\.index|adapter_config|params|training_args.*"
    r"|trainer_state|all_results|train_results|eval_results)\.json|requirements\.txt|license.*\.txt"
    r"|notice\.txt",
    re.IGNORECASE,
)
_NOT_THE_MODEL = re.compile(r"consolidated|adapter_model|optimizer|.*[-_]lora", re.IGNORECASE)
_TOKENIZER = re.compile(
    r"(?:tokenizer.*|tekken|vocab|spiece|[^/]*sentencepiece[^/]*)\.(?:json|model|txt)"
    r"|[^/]+\.tiktoken"
)
_PICKLE = re.compile(r"(?:pytorch_model.*|model.*|consolidated.*)\.(?:bin|pt|pth)", re.IGNORECASE)


class ModelFiles(Frozen):
    """The files of one repository that are needed."""

    weights: tuple[str, ...]  # in order
    beside: tuple[str, ...]  # configuration and tokenizer

    @property
    def paths(self) -> tuple[str, ...]:
        """All of them, the small ones first: what is wrong shows early."""
        return (*self.beside, *self.weights)


def model_files(paths: Sequence[str], index: Mapping[str, Any] | None = None) -> ModelFiles:
    """The files that vLLM needs, of all these; BadInput where they make no model for it.

    `index` is what model.safetensors.index.json says; without it the names must tell.
    """
    if CONFIG not in paths:
        raise _without_config(paths)
    weights = _named_in(index, paths) if index is not None else _by_name(paths)
    if not weights:
        raise _without_weights(paths)
    if not any(_TOKENIZER.fullmatch(path) for path in paths):
        raise BadInput(
            "It has no tokenizer, without which no text becomes tokens.",
            "Choose the original repository, which has one.",
        )
    beside = [p for p in paths if _BESIDE.fullmatch(p) and not _NOT_BESIDE.fullmatch(p)]
    return ModelFiles(weights=tuple(weights), beside=tuple(sorted(beside)))


def needs_index(paths: Sequence[str]) -> bool:
    """Do names alone leave open which files are the model, so that its index must be read?"""
    return INDEX in paths and len(_families(paths)) != 1


def _families(paths: Iterable[str]) -> dict[tuple[str, int], dict[int, str]]:
    """The weights at the top by their common name and number of parts, then by the part's number.

    Other copies of a model are left out, unless there is nothing else.
    """
    found: dict[tuple[str, int], dict[int, str]] = {}
    for path in paths:
        match = _WEIGHTS.fullmatch(path)
        if match and not _NOT_THE_MODEL.match(match["stem"]):
            key = match["stem"], int(match["count"] or 1)
            found.setdefault(key, {})[int(match["number"] or 1)] = path
    return found


def _by_name(paths: Sequence[str]) -> list[str]:
    chosen: list[str] = []
    for (stem, parts), files in sorted(_families(paths).items()):
        missing = sorted(set(range(1, parts + 1)) - set(files))
        if missing:
            raise BadInput(
                f"“{shown(stem)}” lacks {count(len(missing), 'part')} of {parts}, the first is"
                f" number {missing[0]}.",
                "Choose another repository of this model, or retry when it has been completed.",
            )
        chosen += [files[number] for number in sorted(files)]
    return chosen


def _named_in(index: Mapping[str, Any], paths: Sequence[str]) -> list[str]:
    """The files that the index names; BadInput where one is not there."""
    named = index.get("weight_map")
    files = sorted({str(name) for name in named.values()} if isinstance(named, Mapping) else ())
    missing = [name for name in files if name not in paths or not _WEIGHTS.fullmatch(name)]
    if missing or not files:
        what = f"names “{shown(missing[0])}”, which is not there" if missing else "names no files"
        raise BadInput(f"Its {INDEX} {what}.", "Choose another repository of this model.")
    return files


def _without_config(paths: Sequence[str]) -> BadInput:
    if "adapter_config.json" in paths:
        return BadInput(
            "This is an adapter (LoRA), not a whole model.",
            "Choose the model that it was made for, or one with the adapter merged in.",
        )
    if "model_index.json" in paths:
        return BadInput("This makes images, not text.", "Choose a language model.")
    if "params.json" in paths:
        return _mistral_format()
    if any(path.lower().endswith(".gguf") for path in paths):
        return _gguf_only()
    return BadInput(
        "It has no config.json: this is no model that vLLM can serve.",
        "Choose a repository of a whole language model with safetensors files.",
    )


def _without_weights(paths: Sequence[str]) -> BadInput:
    if "adapter_config.json" in paths:
        return _without_config([path for path in paths if path != CONFIG])
    if any(path.lower().endswith(".gguf") for path in paths):
        return _gguf_only()
    if any(path.startswith("consolidated") for path in paths):
        return _mistral_format()
    if any(_PICKLE.fullmatch(path) for path in paths):
        return BadInput(
            "It has its weights as .bin files alone, which can run programs when they are read.",
            "Choose a repository with safetensors files; many models have been converted.",
        )
    return BadInput("It has no safetensors files at its top.", ORIGINAL)


def _mistral_format() -> BadInput:
    return BadInput(
        "This is in Mistral's own format alone, which Berth does not serve.",
        "Choose a repository of the same model that has config.json and model.safetensors.",
    )


def _gguf_only() -> BadInput:
    return BadInput(
        "It has GGUF files alone, which vLLM does not serve.",
        f"Deploy it on the processor, or for the card: {ORIGINAL[0].lower()}{ORIGINAL[1:]}",
    )

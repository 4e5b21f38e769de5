"""What a GGUF file is, by its header: a model that answers, one that does something else, or
something that goes beside a model and cannot run alone.

A word in a file's name is no evidence: a merged model may have LoRA in its name, a drafter none.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from lib.fit.gguf import Header, Value

# As ggml's docs/gguf.md and llama.cpp's converters name them.
_BY_TYPE = {"adapter": "adapter", "mmproj": "projector", "imatrix": "importance"}
_BY_ARCHITECTURE = {
    "clip": "projector",
    "imatrix": "importance",
    "controlvector": "control",
    "eagle3": "drafter",
    "dflash": "drafter",
    "gemma4-assistant": "drafter",
}
_BY_KEY = {"adapter.": "adapter", "imatrix.": "importance", "controlvector.": "control"}


class Kind(StrEnum):
    """What a file is; all but the first go beside a model, or hold none."""

    MODEL = "model"
    PROJECTOR = "projector"
    ADAPTER = "adapter"
    IMPORTANCE = "importance"
    DRAFTER = "drafter"
    CONTROL = "control"
    VOCABULARY = "vocabulary"
    NOTHING = "nothing"


WORDS = {
    Kind.MODEL: "a model",
    Kind.PROJECTOR: "a projector, which lets a model see or hear",
    Kind.ADAPTER: "an adapter (LoRA), which changes a model it is loaded with",
    Kind.IMPORTANCE: "an importance matrix, which is for quantizing a model",
    Kind.DRAFTER: "a drafter, which guesses ahead for a larger model",
    Kind.CONTROL: "a control vector, which steers a model it is loaded with",
    Kind.VOCABULARY: "a vocabulary without a model",
    Kind.NOTHING: "a part of something else: it names no architecture",
}

_BY_WORD = {
    "mmproj": Kind.PROJECTOR,
    "imatrix": Kind.IMPORTANCE,
    "lora": Kind.ADAPTER,
    "adapter": Kind.ADAPTER,
    "vocab": Kind.VOCABULARY,
    "vae": Kind.NOTHING,
}


def presumed(word: str) -> Kind:
    """What a by-product is whose name has this word, where its header cannot be read."""
    if word.startswith("control"):
        return Kind.CONTROL
    return _BY_WORD.get(word, Kind.DRAFTER)


def kind_of(header: Header) -> Kind:
    """What a whole file is."""
    return kind(header.values, [tensor.name for tensor in header.tensors])


def kind(
    values: Mapping[str, Value], tensors: Sequence[str] | None, tensor_count: int | None = None
) -> Kind:
    """What a file is by its metadata and the names of its tensors, None where those are unknown."""
    architecture = values.get("general.architecture", "")
    named = _BY_TYPE.get(str(values.get("general.type", "")), "")
    named = named or _BY_ARCHITECTURE.get(str(architecture), "")
    named = named or next((what for key, what in _BY_KEY.items() if _has(values, key)), "")
    if named:
        return Kind(named)
    if (len(tensors) if tensors is not None else tensor_count) == 0:
        return Kind.VOCABULARY
    if not architecture:
        return Kind.NOTHING
    return Kind.DRAFTER if _only_drafts(values, str(architecture), tensors) else Kind.MODEL


def _has(values: Mapping[str, Value], prefix: str) -> bool:
    return any(key.startswith(prefix) for key in values)


def _only_drafts(
    values: Mapping[str, Value], architecture: str, tensors: Sequence[str] | None
) -> bool:
    """Of a model's layers it has those alone that guess the tokens after the next."""
    if not values.get(f"{architecture}.nextn_predict_layers") or tensors is None:
        return False
    return not any(name.startswith("blk.0.") for name in tensors)


def may_draft(values: Mapping[str, Value]) -> bool:
    """Does it name layers that guess ahead? Only its tensors tell whether it has others too."""
    return any(key.endswith(".nextn_predict_layers") and value for key, value in values.items())

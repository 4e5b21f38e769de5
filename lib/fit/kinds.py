"""What a GGUF file is, by its header: a model that answers, one that does something else, or
something that goes beside a model and cannot run alone.

A word in a file's name is no evidence: a merged model may have LoRA in its name, a drafter none.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from enum import StrEnum

from lib.fit.engine_tables import (
    DIFFUSION,
    DRAFTERS,
    ENCODER_DECODERS,
    ENCODERS,
    LONE_ENCODERS,
    PICTURES,
    SPEECH,
    WITHOUT_CACHE,
)
from lib.fit.gguf import Header, Value

# As ggml's docs/gguf.md and llama.cpp's converters name them.
_BY_TYPE = {"adapter": "adapter", "mmproj": "projector", "imatrix": "importance"}
_BY_ARCHITECTURE = {
    "clip": "projector",
    "imatrix": "importance",
    "controlvector": "control",
    **dict.fromkeys(DRAFTERS, "drafter"),
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


def shape_of(values: Mapping[str, Value]) -> str:
    """One text for all files whose layers are the same, however they are stored."""
    architecture = str(values.get("general.architecture", ""))
    facts = sorted((k, v) for k, v in values.items() if k.startswith(f"{architecture}."))
    return hashlib.sha256(json.dumps([architecture, facts]).encode()).hexdigest()[:16]


def may_draft(values: Mapping[str, Value]) -> bool:
    """Does it name layers that guess ahead? Only its tensors tell whether it has others too."""
    return any(key.endswith(".nextn_predict_layers") and value for key, value in values.items())


class Task(StrEnum):
    """What a model does with a text; the first three can be served."""

    WRITING = "writing"
    EMBEDDING = "embedding"
    RANKING = "ranking"
    TRANSLATING = "translating"
    DIFFUSION = "diffusion"
    SPEECH = "speech"
    ENCODING = "encoding"
    PICTURES = "pictures"


NOT_SERVED = {
    Task.TRANSLATING: "it reads a whole text and then answers it in another way (encoder-decoder)",
    Task.DIFFUSION: "it writes all of a text at once, by diffusion",
    Task.SPEECH: "it makes speech, not text",
    Task.ENCODING: "it is the text encoder of a model that makes pictures",
    Task.PICTURES: "it makes pictures or films, or is a part of what does",
}
_BY_TABLE = {
    Task.TRANSLATING: ENCODER_DECODERS,
    Task.DIFFUSION: DIFFUSION,
    Task.SPEECH: SPEECH,
    Task.ENCODING: LONE_ENCODERS,
    Task.PICTURES: PICTURES,
}
_RANK, _LAST, _POOLED = 4, 3, (1, 2, 3)  # llama.cpp's ways to sum a text up: a score, or a vector


def task_of(header: Header) -> Task:
    """What a model is for, by its architecture and by how it sums a text up."""
    told = [task for task, names in _BY_TABLE.items() if header.architecture in names]
    if told:
        return told[0]
    pooling = header.values.get(f"{header.architecture}.pooling_type")
    if pooling == _RANK:
        return Task.RANKING
    is_embedding = header.architecture in ENCODERS or pooling in _POOLED
    return Task.EMBEDDING if is_embedding else Task.WRITING


def reads_at_once(header: Header) -> bool:
    """Must it have all of a text before it at the same time, and so the memory for that?

    One that takes its last token's vector and keeps a cache can read piece by piece.
    """
    if task_of(header) == Task.WRITING:
        return False
    pooling = header.values.get(f"{header.architecture}.pooling_type")
    return pooling != _LAST or header.architecture in WITHOUT_CACHE

"""A model's header without its vocabulary: what the engine needs to plan its memory, in 20 KB."""

from lib.fit.gguf import Header, alignment_of
from lib.fit.gguf_writer import Value, beginning, pairs_of

KEPT = ("tokenizer.ggml.token_type_count",)  # of the vocabulary: encoders have a matrix of it


def skeleton(start: bytes, header: Header) -> tuple[bytes, int]:
    """The header, and the bytes that a file with it must have; a hole will do for the weights.

    `start` is the beginning of the (first) file, `header` that of the whole model. The engine reads
    the result in a tenth of the time and plans the same memory for it.
    """
    size_key = f"{header.architecture}.vocab_size"
    tokens = header.lengths.get("tokenizer.ggml.tokens") or header.values.get(size_key)
    dropped = ("tokenizer.", "split.", size_key)
    pairs = [
        start[began:ended]
        for key, (began, ended) in header.spans.items()
        if key in KEPT or not key.startswith(dropped)
    ]
    described: dict[str, Value] = {"tokenizer.ggml.model": "no_vocab"}
    if isinstance(tokens, int):
        described[size_key] = tokens
    pairs += pairs_of(described)
    return beginning(pairs, header.tensors, alignment_of(header.values), header.version)

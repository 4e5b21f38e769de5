"""A model's header without its vocabulary: what the engine needs to plan its memory, in 20 KB."""

from lib.fit.gguf import Header, alignment_of
from lib.fit.gguf_writer import Value, beginning, pairs_of


def skeleton(header: Header) -> tuple[bytes, int]:
    """The header, and the bytes that a file with it must have; a hole will do for the weights.

    The engine reads the result in a tenth of the time and plans the same memory for it.
    """
    size_key = f"{header.architecture}.vocab_size"
    tokens = header.lengths.get("tokenizer.ggml.tokens") or header.values.get(size_key)
    dropped = ("split.", size_key)
    pairs = [pair for key, pair in header.pairs.items() if not key.startswith(dropped)]
    described: dict[str, Value] = {"tokenizer.ggml.model": "no_vocab"}
    if isinstance(tokens, int):
        described[size_key] = tokens
    pairs += pairs_of(described)
    return beginning(pairs, header.tensors, alignment_of(header.values), header.version)

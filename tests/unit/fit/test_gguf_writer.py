"""What is written as the beginning of a GGUF file is what its reader finds there."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lib.engines.llamacpp.tiny import CONTEXT, write_tiny
from lib.fit import gguf
from lib.fit.gguf import Tensor
from lib.fit.gguf_writer import Value, beginning, pairs_of

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
INTS, FLOATS = st.integers(-(2**31), 2**31 - 1), st.floats(width=32, allow_nan=False)
VALUES: st.SearchStrategy[Value] = (
    st.integers(0, 2**32 - 1)
    | FLOATS
    | TEXT
    | st.lists(INTS, min_size=1, max_size=5).map(tuple)
    | st.lists(FLOATS, min_size=1, max_size=5).map(tuple)
    | st.lists(TEXT, min_size=1, max_size=5).map(tuple)
)
KEYS = st.from_regex(r"[a-z]{1,9}\.[a-z]{1,9}", fullmatch=True)
F32 = st.integers(1, 99).map(lambda width: Tensor("", (width,), "F32", 0, 4 * width))


@given(values=st.dictionaries(KEYS, VALUES, max_size=5), tensors=st.lists(F32, max_size=5))
def test_values_and_tensors_are_read_back(values: dict[str, Value], tensors: list[Tensor]) -> None:
    named = [tensor._replace(name=f"t{number}") for number, tensor in enumerate(tensors)]
    described = {"general.architecture": "llama", **values}
    made, size_bytes = beginning(pairs_of(described), named)
    header = gguf.parse(made)
    assert header.values == described
    assert [t._replace(offset=0) for t in header.tensors] == named
    assert header.file_bytes <= size_bytes < header.file_bytes + 32


def test_the_tiny_model_is_whole_by_its_own_header(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    write_tiny(path)
    header = gguf.read_file(path)
    assert path.stat().st_size >= header.file_bytes
    assert (header.architecture, header.context_length) == ("llama", CONTEXT)
    assert {tensor.type for tensor in header.tensors} == {"F32", "Q4_K", "Q6_K"}
    for list_of in ("scores", "token_type"):
        assert (
            header.lengths[f"tokenizer.ggml.{list_of}"] == header.lengths["tokenizer.ggml.tokens"]
        )

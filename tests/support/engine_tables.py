"""What the engine says of itself, as JSON: `python -m tests.support.engine_tables`.

A process of its own, because it loads the engine's machine code and calls it as C.
"""

import ctypes
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

LAST = 1_000  # more than there are of anything


def main() -> None:
    """Print architectures by what they are, tensor types and file types."""
    import xllamacpp

    engine = ctypes.PyDLL(str(next(Path(xllamacpp.__file__).parent.glob("xllamacpp*.so"))))
    named = list(_names(_function(engine, "_Z13llm_arch_name8llm_arch", ctypes.c_char_p)))
    is_diffusion = _judge(engine, "_Z21llm_arch_is_diffusionRK8llm_arch")
    print(
        json.dumps(
            {
                "architectures": named,
                "diffusion": [name for n, name in enumerate(named) if is_diffusion(n)],
                "tensor_types": _tensor_types(engine, xllamacpp.ggml_type),
                "file_types": _file_types(engine),
            }
        )
    )


def _function(engine: Any, name: str, result: Any) -> Callable[[int], Any]:
    found = getattr(engine, name)
    found.restype, found.argtypes = result, [ctypes.c_int]
    return lambda number: found(number)


def _judge(engine: Any, name: str) -> Callable[[int], bool]:
    found = getattr(engine, name)
    found.restype, found.argtypes = ctypes.c_bool, [ctypes.POINTER(ctypes.c_int)]
    return lambda number: bool(found(ctypes.byref(ctypes.c_int(number))))


def _names(name_of: Callable[[int], bytes]) -> Iterator[str]:
    """Up to the one that stands for none."""
    for number in range(LAST):
        name = name_of(number).decode()
        if "unknown" in name:
            return
        yield name


def _tensor_types(engine: Any, kinds: Any) -> dict[int, tuple[str, int, int]]:
    """Name, weights in a block, bytes of a block; those that were removed have no block."""
    block = _function(engine, "ggml_blck_size", ctypes.c_int64)
    size = _function(engine, "ggml_type_size", ctypes.c_size_t)
    numbers = {int(kind): kind.name.removeprefix("GGML_TYPE_") for kind in kinds}
    return {n: (name, block(n), size(n)) for n, name in numbers.items() if name != "COUNT"}


def _file_types(engine: Any) -> dict[int, str]:
    name_of = _function(engine, "llama_ftype_name", ctypes.c_char_p)
    names = {number: name_of(number).decode() for number in range(LAST)}
    return {number: name for number, name in names.items() if "unknown" not in name}


if __name__ == "__main__":
    main()

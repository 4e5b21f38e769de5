"""What an image is worked on in, beside what the engine reserves for it."""

import re
import threading
from pathlib import Path

import pytest

from lib.core.errors import EngineError
from lib.engines.base import StartOptions
from lib.engines.llamacpp import files, tiny
from lib.engines.llamacpp.launch import Program, command, planned
from lib.fit.gguf import read_file
from lib.fit.image_work import MOST_TOKENS, UNKNOWN_BYTES, image_bytes
from tests.support.projectors import PROJECTORS, Projector, gemma3, write
from tests.support.talkative import Talkative, served
from tests.support.tiny_projector import data_uri, png, write_projector
from tests.support.waiting import until

LARGE = png(3_000, 2_250)  # as a telephone takes it, and more than a model may get
RESERVED = re.compile(r"reserve_compute_meta:\D*size = +([\d.]+) MiB")


@pytest.mark.parametrize("name", PROJECTORS)
def test_an_image_takes_what_is_counted(
    name: str, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = PROJECTORS[name]()
    _write_text_model(models / "seeing.gguf", made, monkeypatch)
    projector = write(models / "mmproj-seeing.gguf", made)
    with served("seeing", models, 8_192) as engine:
        asking = threading.Thread(target=_show, args=(engine,))
        asking.start()
        until(lambda: RESERVED.search(engine.said) is not None, "it has reserved memory")
    asking.join()
    reserved = float(RESERVED.findall(engine.said)[0])
    counted = image_bytes(read_file(projector)) / 2**20
    assert reserved * 0.97 <= counted <= reserved * 1.15


@pytest.mark.parametrize("name", PROJECTORS)
def test_images_are_limited_where_they_could_be_of_any_size(
    name: str, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = PROJECTORS[name]()
    _write_text_model(models / "seeing.gguf", made, monkeypatch)
    write(models / "mmproj-seeing.gguf", made)
    launch = planned(files.find("seeing"), StartOptions(), 4_711, Path("key"))
    line = command(launch, Path("unused"), Program(path="/bin/llama-server"))
    limit = ["--image-max-tokens", str(MOST_TOKENS)] if name.startswith("qwen") else []
    assert [word for word in line if word in ("--image-max-tokens", str(MOST_TOKENS))] == limit
    older = Program(path="/bin/llama-server", without=("--image-max-tokens",))
    assert "--image-max-tokens" not in command(launch, Path("unused"), older)


def test_a_projector_that_tells_nothing_is_given_a_flat_sum(tmp_path: Path) -> None:
    made = gemma3()
    silent = made._replace(values={"vision.projection_dim": 1_024})
    assert image_bytes(read_file(write(tmp_path / "silent.gguf", silent))) == UNKNOWN_BYTES
    absurd = made._replace(values=made.values | {"vision.image_size": 2**19})
    assert image_bytes(read_file(write(tmp_path / "absurd.gguf", absurd))) == UNKNOWN_BYTES
    flat = Projector("mlp", made.values, made.tensors | {"mm.0.weight": (1_024,)})
    assert image_bytes(read_file(write(tmp_path / "flat.gguf", flat))) > 0
    small = image_bytes(read_file(write_projector(tmp_path / "small.gguf")))
    assert 0 < small < 2**20


def _write_text_model(path: Path, made: Projector, monkeypatch: pytest.MonkeyPatch) -> None:
    """As wide as the projector makes its tokens, with room for an image."""
    monkeypatch.setattr(tiny, "WIDTH", made.text_width)
    monkeypatch.setattr(tiny, "HEADS", made.text_width // 64)
    monkeypatch.setattr(tiny, "CONTEXT", 8 * MOST_TOKENS)
    tiny.write_tiny(path)


def _show(engine: Talkative) -> None:
    """It is killed before it answers."""
    image = {"type": "image_url", "image_url": {"url": data_uri(LARGE)}}
    message = {"role": "user", "content": [{"type": "text", "text": "a"}, image]}
    with pytest.raises(EngineError):
        engine.ask("/v1/chat/completions", {"messages": [message], "max_tokens": 1})

"""Models that see, with the real engine: a tiny model, a tiny projector beside it, and a PNG."""

from pathlib import Path

import pytest

from lib.core.errors import BadInput, EngineError
from lib.engines.base import ChatOptions, Message, Usage
from lib.engines.llamacpp import ENGINE
from tests.support.llamacpp import SMALL, shown
from tests.support.tiny_gguf import write_tiny
from tests.support.tiny_projector import IMAGE_TOKENS, data_uri, png, write_projector

SHORT = ChatOptions(temperature=0, max_tokens=12)
QUESTION = "What is this?"
RED, BLUE = data_uri(png(colour=(220, 20, 20))), data_uri(png(colour=(10, 40, 240)))


@pytest.fixture
def seeing(models: Path) -> str:
    write_tiny(models / "tiny.gguf")
    write_projector(models / "mmproj-tiny.gguf")
    ENGINE.start("tiny", SMALL)
    return "tiny"


def answered(model: str, *images: str) -> tuple[str, Usage]:
    question = Message(role="user", content=QUESTION, images=images)
    pieces = list(ENGINE.chat(model, [question], SHORT))
    usage = pieces[-1].usage
    assert usage is not None
    return "".join(piece.text for piece in pieces), usage


def test_a_model_with_its_projector_answers_about_an_image(seeing: str) -> None:
    assert shown(seeing).can_see
    _, without = answered(seeing)
    of_red, usage = answered(seeing, RED)
    of_blue, _ = answered(seeing, BLUE)
    assert of_red
    assert of_red != of_blue
    assert usage.prompt_tokens == without.prompt_tokens + IMAGE_TOKENS
    assert answered(seeing, RED, BLUE)[1].prompt_tokens > usage.prompt_tokens


def test_an_image_that_is_none_is_told_and_the_model_goes_on(seeing: str) -> None:
    broken = data_uri(b"no image at all")
    with pytest.raises(EngineError, match="cannot read this image"):
        answered(seeing, broken)
    assert answered(seeing)[0]


def test_a_model_without_projector_refuses_an_image_before_it_is_sent(models: Path) -> None:
    write_tiny(models / "blind.gguf")
    ENGINE.start("blind", SMALL)
    assert not shown("blind").can_see
    with pytest.raises(BadInput, match=r"“blind” cannot see images\. Remove the image"):
        answered("blind", RED)


def test_a_projector_that_comes_later_is_used_at_the_next_start(models: Path) -> None:
    write_tiny(models / "tiny.gguf")
    ENGINE.start("tiny", SMALL)
    write_projector(models / "mmproj-tiny.gguf")
    assert not shown("tiny").can_see
    ENGINE.start("tiny", SMALL)
    assert shown("tiny").can_see
    assert answered("tiny", RED)[0]


def test_a_projector_of_another_model_is_named_as_the_cause(models: Path) -> None:
    write_tiny(models / "tiny.gguf")
    write_projector(models / "mmproj-tiny.gguf", text_width=96)
    with pytest.raises(EngineError, match="belongs to another model"):
        ENGINE.start("tiny", SMALL)

"""Chat templates that a person puts beside a model."""

from pathlib import Path

import pytest

from lib.core.settings import settings
from lib.engines.llamacpp import files
from lib.engines.llamacpp.templates import MOST_BYTES, template_name, template_of
from tests.support.tiny_gguf import CHATML, write_tiny


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("a/Anvil-8B-Q4_K_M.gguf", "Anvil-8B-Q4_K_M.jinja"),
        ("Anvil-00001-of-00003.gguf", "Anvil.jinja"),
        ("Anvil-00002-of-00003.GGUF", "Anvil.jinja"),
        ("v1.5.gguf", "v1.5.jinja"),
    ],
)
def test_a_template_is_called_after_its_model(model: str, name: str) -> None:
    assert template_name(model) == name


def test_it_lies_beside_the_model_or_beside_what_a_link_leads_to(tmp_path: Path) -> None:
    target, link = tmp_path / "there" / "Anvil.gguf", tmp_path / "here" / "Mine.gguf"
    target.parent.mkdir()
    link.parent.mkdir()
    target.touch()
    link.symlink_to(target)
    assert template_of(link) is None
    far, near = target.with_suffix(".jinja"), link.with_suffix(".jinja")
    far.write_text("x")
    assert template_of(link) == far
    near.write_text("x")
    assert template_of(link) == near
    assert template_of(target) == far


def test_what_cannot_be_one_is_passed_over(tmp_path: Path) -> None:
    place = tmp_path / "Anvil.jinja"
    place.mkdir()
    assert template_of(tmp_path / "Anvil.gguf") is None
    place.rmdir()
    place.write_text("")
    assert template_of(tmp_path / "Anvil.gguf") is None
    place.write_bytes(b"x" * (MOST_BYTES + 1))
    assert template_of(tmp_path / "Anvil.gguf") is None


def test_a_model_chats_for_as_long_as_its_template_is_there(home: Path) -> None:
    models = settings().models
    write_tiny(models / "base.gguf", template=None)
    template = models / "base.jinja"
    assert not files.find("base").can_chat
    template.write_text(CHATML)
    assert files.find("base").can_chat
    assert files.find("base").template == str(template)
    template.unlink()
    assert not files.find("base").can_chat

"""What a model consists of: its files and its chat template."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.core.access import Role, acting
from lib.core.errors import Forbidden
from lib.core.settings import settings
from lib.engines import find_model
from lib.engines.base import Model, State
from lib.engines.llamacpp.adopt import adopt
from lib.fleet import contents
from tests.support.tiny_gguf import CHATML, write_tiny, write_truncated


@pytest.fixture(autouse=True)
def _owner(home: object) -> Iterator[None]:
    with acting(Role.OWNER):
        yield


def models() -> Path:
    return settings().models


def test_a_divided_model_has_all_its_files() -> None:
    files = write_tiny(models() / "tiny.gguf", parts=3)
    found = contents.parts(find_model("tiny"))
    assert [part.path for part in found] == [str(path) for path in files]
    assert [part.bytes for part in found] == [path.stat().st_size for path in files]


def test_of_a_link_is_told_where_it_leads(tmp_path: Path) -> None:
    [mine] = write_tiny(tmp_path / "mine" / "linked.gguf")
    adopt(mine)
    [part] = contents.parts(find_model("linked"))
    assert Path(part.path).is_relative_to(models())
    assert part.leads_to == str(mine)
    assert part.bytes == mine.stat().st_size


def test_the_template_is_that_of_the_file() -> None:
    write_tiny(models() / "tiny.gguf")
    assert contents.template(find_model("tiny")) == CHATML


def test_one_beside_the_file_goes_before_it_and_is_listed() -> None:
    write_tiny(models() / "tiny.gguf")
    beside = models() / "tiny.jinja"
    beside.write_text("{{ messages }}</code><script>", encoding="utf-8")
    assert contents.template(find_model("tiny")) == "{{ messages }}</code><script>"
    assert [(p.path, p.what) for p in contents.parts(find_model("tiny"))][1:] == [
        (str(beside), "its chat template")
    ]


def test_a_template_that_has_changed_is_read_again() -> None:
    write_tiny(models() / "tiny.gguf")
    assert contents.template(find_model("tiny")) == CHATML
    (models() / "tiny.gguf").unlink()
    write_tiny(models() / "tiny.gguf", template="{{ other }} and longer than nothing")
    assert contents.template(find_model("tiny")) == "{{ other }} and longer than nothing"


def test_what_has_no_template_and_what_is_broken_have_none() -> None:
    write_tiny(models() / "base.gguf", template=None)
    write_truncated(models() / "cut.gguf")
    assert contents.template(find_model("base")) == ""
    assert contents.template(find_model("cut")) == ""
    assert len(contents.parts(find_model("cut"))) == 1


def test_a_model_that_vanished_meanwhile_consists_of_nothing() -> None:
    gone = Model(name="gone", engine="llamacpp", state=State.STOPPED)
    assert contents.parts(gone) == []
    assert contents.template(gone) == ""
    assert contents.own_way(gone) is None


def test_guests_are_told_none_of_it() -> None:
    model = Model(name="a", engine="llamacpp", state=State.STOPPED)
    for look in (contents.parts, contents.template, contents.own_way):
        with acting(Role.GUEST, "guest-1"), pytest.raises(Forbidden):
            look(model)

"""The built-in engine's models: files found, named, told apart, found broken, removed."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.core.errors import BadInput, BrokenFile, NotFound
from lib.core.settings import settings
from lib.engines.base import StartOptions, State
from lib.engines.llamacpp import ENGINE
from lib.engines.llamacpp import files as llamacpp_files
from tests.support.by_products import KINDS, write_by_product
from tests.support.tiny_gguf import write_empty, write_tiny, write_truncated, write_wrong_magic

HOSTILE = [
    "../x",
    "a/../../b",
    "a@/../x",
    "..",
    "",
    "a\0b",
    "x" * 10_000,
    "$(id)",
    "-rf",
    "\u202ex",
]


@pytest.fixture
def models(home: Path) -> Path:
    folder = home / "models"
    folder.mkdir(parents=True)
    return folder


def names() -> list[str]:
    return [file.name for file in llamacpp_files.all_files()]


def test_nothing_is_found_where_there_is_no_folder() -> None:
    assert ENGINE.models() == []


def test_a_file_dropped_in_is_a_model(models: Path) -> None:
    write_tiny(models / "My model (1).gguf")
    [model] = ENGINE.models()
    assert (model.name, model.state, model.engine) == ("My-model-1", State.STOPPED, "llamacpp")
    assert (model.quantization, model.context_trained, model.can_chat) == ("F32", 1024, True)
    assert model.size_bytes == (models / "My model (1).gguf").stat().st_size
    assert model.source == "My model (1).gguf"


def test_a_downloaded_model_tells_its_repository(models: Path) -> None:
    write_tiny(models / "Qwen" / "Tiny-GGUF" / "abc123" / "tiny.gguf")
    assert ENGINE.models()[0].source == "Qwen/Tiny-GGUF"


def test_a_model_without_chat_template_says_so(models: Path) -> None:
    write_tiny(models / "base.gguf", template=None)
    assert ENGINE.models()[0].can_chat is False


def test_the_parts_of_a_divided_model_are_one_model(models: Path) -> None:
    parts = write_tiny(models / "big.gguf", parts=3)
    [model] = ENGINE.models()
    assert (model.name, model.state) == ("big", State.STOPPED)
    assert model.size_bytes == sum(part.stat().st_size for part in parts)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_divided_model_without_one_of_its_parts_names_it(models: Path, missing: int) -> None:
    write_tiny(models / "big.gguf", parts=3)[missing].unlink()
    [model] = ENGINE.models()
    assert model.state == State.FAILED
    assert f"Part {missing + 1} of 3 is missing" in model.problem


@pytest.mark.parametrize("name", ["tiny.gguf.part", ".tiny.gguf", "tiny.safetensors"])
def test_partial_downloads_and_other_files_are_left_out(models: Path, name: str) -> None:
    write_tiny(models / "whole.gguf")
    (models / "whole.gguf").rename(models / name)
    assert ENGINE.models() == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["plain-Q8_0", "mmproj-Forge", "Forge-imatrix"])
def test_what_cannot_run_alone_is_left_out_whatever_it_is_called(
    models: Path, kind: str, name: str
) -> None:
    write_by_product(models / f"{name}.gguf", kind)
    write_tiny(models / "whole.gguf")
    assert names() == ["whole"]


@pytest.mark.parametrize("place", ["{}-Forge-8B-Q4_K_M", "Forge-8B-{}-Q4_K_M", "Forge-8B-{}"])
@pytest.mark.parametrize("word", ["mmproj", "imatrix", "LoRA", "MTP", "eagle3", "Draft", "vocab"])
def test_a_whole_model_is_listed_whatever_word_is_in_its_name(
    models: Path, word: str, place: str
) -> None:
    name = place.format(word)
    write_tiny(models / f"{name}.gguf")
    assert names() == [name]


@pytest.mark.parametrize("name", ["mmproj-tiny.gguf", "tiny.imatrix.gguf"])
def test_what_is_called_a_by_product_and_cannot_be_read_is_no_broken_model(
    models: Path, name: str
) -> None:
    write_empty(models / name)
    assert ENGINE.models() == []


def test_a_by_product_takes_no_models_name_away(models: Path) -> None:
    write_by_product(models / "a" / "m.gguf", "adapter")
    write_tiny(models / "b" / "m.gguf")
    assert names() == ["m"]


def test_a_file_name_that_is_no_text_is_left_out(models: Path) -> None:
    try:
        for path in (b"/\xff.gguf", b"/\xfe/folder.gguf"):
            write_tiny(Path(os.fsdecode(os.fsencode(models) + path)))
    except OSError:
        pytest.skip("this file system has only names that are text")
    assert ENGINE.models() == []


def test_broken_files_are_shown_with_what_is_wrong(models: Path) -> None:
    write_truncated(models / "cut.gguf")
    write_wrong_magic(models / "magic.gguf")
    write_empty(models / "empty.gguf")
    (models / "page.gguf").write_text("<html>404</html>")
    (models / "gone.gguf").symlink_to(models / "nowhere")
    problems = {model.name: model.problem for model in ENGINE.models()}
    assert "cut short" in problems["cut"]
    assert "not a GGUF file" in problems["magic"]
    assert "is empty" in problems["empty"]
    assert "web page" in problems["page"]
    assert problems["gone"].startswith("Its file has gone: what its link leads to is not there.")
    assert str(models) not in problems["gone"]  # guests read it
    assert all(model.state == State.FAILED for model in ENGINE.models())


@pytest.mark.parametrize("write", [write_truncated, write_wrong_magic, write_empty])
def test_a_broken_file_is_never_started(models: Path, write: Callable[[Path], Path]) -> None:
    write(models / "bad.gguf")
    with pytest.raises(BrokenFile):
        ENGINE.start("bad", StartOptions())
    assert not (settings().engines / "bad.json").exists()


def test_a_folder_that_is_called_like_a_model_is_looked_into(models: Path) -> None:
    write_tiny(models / "folder.gguf" / "inside.gguf")
    assert names() == ["inside"]


def test_a_repaired_file_is_read_again(models: Path) -> None:
    write_truncated(models / "a.gguf")
    assert ENGINE.models()[0].state == State.FAILED
    write_tiny(models / "a.gguf")
    assert ENGINE.models()[0].state == State.STOPPED


def test_headers_are_read_once_for_all_processes(models: Path) -> None:
    for number in range(200):
        write_tiny(models / f"m{number:03}.gguf")
    before = ENGINE.models()
    assert len(before) == 200
    for path in models.iterdir():  # the same size and time, but no header any more
        times = path.stat()
        with path.open("r+b") as file:
            file.write(b"XXXX")
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert ENGINE.models() == before
    write_tiny(models / "new.gguf")
    assert [model for model in ENGINE.models() if model.name != "new"] == before


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"a.gguf": {"name": 1}}', "\0"])
def test_a_damaged_cache_is_made_anew(models: Path, damage: str) -> None:
    write_tiny(models / "a.gguf")
    before = ENGINE.models()
    (settings().engines / "headers.cache").write_text(damage)
    assert ENGINE.models() == before


def test_models_are_found_where_nothing_can_be_written(models: Path) -> None:
    write_tiny(models / "a.gguf")
    settings().engines.write_text("a file where the folder should be")
    assert names() == ["a"]


def test_two_files_of_one_name_are_told_apart_by_their_owners(models: Path) -> None:
    write_tiny(models / "alice" / "repo" / "rev1" / "m.gguf")
    write_tiny(models / "bob" / "repo" / "rev1" / "m.gguf")
    assert names() == ["m", "m@bob"]


def test_two_revisions_are_told_apart_and_a_third_place_too(models: Path) -> None:
    for folder in ("a/r/11112222333", "a/r/99998888777", "b/r/1", "b/r/2", "b/x/2"):
        write_tiny(models / folder / "m.gguf")
        names()
    found = names()
    assert len(set(found)) == 5
    assert {"m", "m@a", "m@b", "m@2"} < set(found)


def test_names_differ_by_more_than_case(models: Path) -> None:
    write_tiny(models / "a" / "Model.gguf")
    write_tiny(models / "b" / "model.gguf")
    assert len({name.casefold() for name in names()}) == 2


def test_a_name_stays_when_its_rival_goes_and_when_it_is_downloaded_again(models: Path) -> None:
    write_tiny(models / "alice" / "m.gguf")
    write_tiny(models / "bob" / "m.gguf")
    assert names() == ["m", "m@bob"]
    ENGINE.remove("m")
    assert names() == ["m@bob"]
    write_tiny(models / "bob" / "m.gguf", context=2048)
    assert names() == ["m@bob"]


@given(
    st.text(
        st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60
    )
)
def test_any_file_name_makes_a_valid_model_name(text: str) -> None:
    first = llamacpp_files._new_name(f"x/y/{text}.gguf", set())
    second = llamacpp_files._new_name(f"x/y/{text}.gguf", {first.casefold()})
    for name in (first, second):
        llamacpp_files.ModelFile(name=name, path="p", size_bytes=1, changed="c")
        assert Path(name).name == name
    assert first.casefold() != second.casefold()


def test_removing_deletes_the_file_and_the_folders_it_leaves_empty(models: Path) -> None:
    write_tiny(models / "a" / "b" / "c" / "m.gguf")
    write_tiny(models / "a" / "other.gguf")
    ENGINE.remove("m")
    assert sorted(path.name for path in models.rglob("*")) == ["a", "other.gguf"]


def test_removing_the_last_model_leaves_the_root(models: Path) -> None:
    write_tiny(models / "a" / "m.gguf")
    ENGINE.remove("m")
    assert list(models.iterdir()) == []


def test_removing_takes_all_parts_and_no_other_file(models: Path) -> None:
    write_tiny(models / "big.gguf", parts=3)
    write_tiny(models / "big-2.gguf", parts=2)
    assert names() == ["big", "big-2"]
    write_tiny(models / "big.gguf")
    ENGINE.remove("big")
    left = sorted(path.name for path in models.iterdir())
    assert left == ["big-2-00001-of-00002.gguf", "big-2-00002-of-00002.gguf", "big.gguf"]


def test_removing_a_link_leaves_what_it_points_to(models: Path, tmp_path: Path) -> None:
    [mine] = write_tiny(tmp_path / "mine" / "m.gguf")
    (models / "link.gguf").symlink_to(mine)
    ENGINE.remove("link")
    assert mine.exists()
    assert not (models / "link.gguf").is_symlink()


def test_what_lies_in_a_linked_folder_is_not_ours_to_delete(models: Path, tmp_path: Path) -> None:
    [mine] = write_tiny(tmp_path / "mine" / "m.gguf")
    (models / "folder").symlink_to(mine.parent)
    assert names() == ["m"]
    with pytest.raises(BadInput, match="outside"):
        llamacpp_files.remove(llamacpp_files.find("m"))
    assert mine.exists()


@pytest.mark.parametrize("path", ["../m.gguf", "a/../../m.gguf"])
def test_a_path_that_leads_outside_is_not_deleted(models: Path, path: str) -> None:
    [mine] = write_tiny(models.parent / "m.gguf")
    (models / "a").mkdir()
    with pytest.raises(BadInput, match="outside"):
        llamacpp_files.remove(
            llamacpp_files.ModelFile(name="m", path=path, size_bytes=1, changed="")
        )
    assert mine.exists()


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_hostile_name_finds_nothing(models: Path, name: str) -> None:
    write_tiny(models / "m.gguf")
    with pytest.raises(NotFound):
        ENGINE.start(name, StartOptions())
    with pytest.raises(NotFound):
        ENGINE.remove(name)
    ENGINE.stop(name)
    assert ENGINE.upstream(name) is None
    assert names() == ["m"]

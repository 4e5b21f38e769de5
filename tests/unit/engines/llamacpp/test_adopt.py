"""Files that are used where they are: links, the Hub's cache, other tools' stores, folders."""

from pathlib import Path

import pytest

from lib.core import links
from lib.core.errors import BadInput, BrokenFile
from lib.core.settings import settings
from lib.engines.base import StartOptions, State
from lib.engines.llamacpp import ENGINE, files, stores
from lib.engines.llamacpp.adopt import adopt
from tests.support.by_products import write_by_product
from tests.support.stores import hub_cache, ollama_store, studio
from tests.support.tiny_gguf import write_tiny, write_truncated
from tests.support.tiny_projector import write_projector


@pytest.fixture
def models(home: Path) -> Path:
    folder = home / "models"
    folder.mkdir(parents=True)
    return folder


def all_links(models: Path) -> list[str]:
    return sorted(path.name for path in models.rglob("*") if path.is_symlink())


def test_a_model_in_the_hubs_cache_has_the_name_of_its_link(models: Path, tmp_path: Path) -> None:
    [link] = hub_cache(tmp_path / "hub", "acme/Anvil-1B", "Anvil-1B-Q4_K_M.gguf")
    file = adopt(link)
    assert (file.name, file.problem) == ("Anvil-1B-Q4_K_M", "")
    assert file.stays_at == str(link)
    assert adopt(link) == file
    assert all_links(models) == ["Anvil-1B-Q4_K_M.gguf"]


def test_its_parts_lie_beside_the_link(models: Path, tmp_path: Path) -> None:
    parts = hub_cache(tmp_path / "hub", "acme/Anvil-2B", "Anvil-2B-Q8_0.gguf", parts=3)
    file = adopt(parts[1])
    assert (file.name, file.problem) == ("Anvil-2B-Q8_0", "")
    assert all_links(models) == [part.name for part in parts]
    ENGINE.remove(file.name)
    assert all_links(models) == []
    assert all(part.exists() for part in parts)


def test_its_projector_lies_beside_the_link(models: Path, tmp_path: Path) -> None:
    [link, seeing] = hub_cache(tmp_path / "hub", "acme/VL", "VL-1B-Q4_K_M.gguf", projector=True)
    file = adopt(link)
    assert file.projector == str(seeing)
    ENGINE.remove(file.name)
    assert seeing.exists()
    assert link.exists()


def test_what_the_checksum_names_is_used_under_its_name(models: Path, tmp_path: Path) -> None:
    [link] = hub_cache(tmp_path / "hub", "acme/Anvil-1B", "Anvil-1B-Q4_K_M.gguf")
    assert adopt(link.resolve()).name == "Anvil-1B-Q4_K_M"


def test_a_link_of_ones_own_gives_the_name(models: Path, tmp_path: Path) -> None:
    [link] = hub_cache(tmp_path / "hub", "acme/Anvil-1B", "Anvil-1B-Q4_K_M.gguf")
    own = tmp_path / "my favourite.gguf"
    own.symlink_to(link)
    assert adopt(own).name == "my-favourite"


@pytest.mark.parametrize(
    ("manifest", "name"),
    [
        ("registry.ollama.ai/library/anvil/1b", "anvil-1b"),
        ("registry.ollama.ai/library/anvil/latest", "anvil-latest"),
        ("hf.co/acme/Anvil-GGUF/Q4_K_M", "Anvil-GGUF-Q4_K_M"),
        ("registry.ollama.ai/someone/anvil/1b", "anvil-1b"),
    ],
)
def test_a_model_of_ollamas_is_used_under_its_name_there(
    models: Path, tmp_path: Path, manifest: str, name: str
) -> None:
    blob = ollama_store(tmp_path / "ollama", manifest)
    file = adopt(blob)
    assert (file.name, file.problem) == (name, "")
    assert file.stays_at == str(blob)
    ENGINE.remove(name)
    assert blob.exists()
    assert list(models.iterdir()) == []


def test_ollamas_projector_comes_along_and_goes_with_its_model(
    models: Path, tmp_path: Path
) -> None:
    blob = ollama_store(tmp_path / "ollama", "registry.ollama.ai/library/vl/1b", projector=True)
    file = adopt(blob)
    assert Path(file.projector).name == "mmproj-vl-1b.gguf"
    ENGINE.remove(file.name)
    assert list(models.iterdir()) == []


def test_a_folder_of_lm_studio_is_used_as_it_is(models: Path, tmp_path: Path) -> None:
    folder = studio(tmp_path, "acme/Anvil-VL-1B-GGUF", "Anvil-VL-1B-Q4_K_M.gguf")
    file = adopt(folder / "Anvil-VL-1B-Q4_K_M.gguf")
    assert Path(file.projector).name == "mmproj-model-f16.gguf"


def test_a_linked_folder_below_the_models_is_looked_into(models: Path, tmp_path: Path) -> None:
    [mine] = write_tiny(tmp_path / "mine" / "m.gguf")
    (models / "linked").symlink_to(mine.parent)
    assert [model.name for model in ENGINE.models()] == ["m"]
    assert ENGINE.models()[0].stays_at == str(mine)
    for path in (mine, models / "linked" / "m.gguf"):
        assert adopt(path).path == "linked/m.gguf"
    assert all_links(models) == ["linked"]
    with pytest.raises(BadInput, match="in a folder that is linked there"):
        ENGINE.remove("m")
    assert mine.exists()


def test_a_link_that_leads_back_is_followed_once(models: Path) -> None:
    write_tiny(models / "a" / "m.gguf")
    (models / "a" / "again").symlink_to(models)
    assert [model.name for model in ENGINE.models()] == ["m"]


def test_the_folder_of_models_may_be_a_link_itself(home: Path, tmp_path: Path) -> None:
    real = tmp_path / "big disk"
    [file] = write_tiny(real / "acme" / "A-GGUF" / ("c" * 40) / "m.gguf")
    write_projector(file.parent / "mmproj-F16.gguf")
    home.mkdir()
    (home / "models").symlink_to(real)
    [model] = ENGINE.models()
    assert (model.stays_at, model.can_see) == ("", True)
    for path in (file, home / "models" / file.relative_to(real)):
        assert adopt(path).name == "m"
    assert not list(real.glob("local/*"))
    ENGINE.remove("m")
    assert list(real.iterdir()) == []


def test_a_path_through_a_linked_folder_is_used_as_it_was_given(
    models: Path, tmp_path: Path
) -> None:
    write_tiny(tmp_path / "disk" / "m.gguf")
    (tmp_path / "short").symlink_to(tmp_path / "disk")
    assert adopt(tmp_path / "short" / "m.gguf").name == "m"
    assert adopt(tmp_path / "disk" / "m.gguf").name == "m"
    assert all_links(models) == ["m.gguf"]


def test_a_failure_leaves_no_link(models: Path, tmp_path: Path) -> None:
    adapter = write_by_product(tmp_path / "lora.gguf", "adapter")
    for path in (write_truncated(tmp_path / "cut.gguf"), adapter):
        with pytest.raises((BrokenFile, BadInput)):
            adopt(path)
    assert list(models.iterdir()) == []


def test_a_link_that_cannot_be_made_takes_the_others_back(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = write_tiny(tmp_path / "big.gguf", parts=3)
    made = []

    def full(self: Path, target: Path) -> None:
        made.append(self)
        if len(made) == 3:
            raise OSError(28, "No space left on device")
        original(self, target)

    original = Path.symlink_to
    monkeypatch.setattr(Path, "symlink_to", full)
    with pytest.raises(BadInput, match="No space left"):
        adopt(parts[0])
    assert all_links(models) == []
    assert not (models / "local").exists()


def test_a_link_of_ours_that_leads_nowhere_makes_room(models: Path, tmp_path: Path) -> None:
    [old] = write_tiny(tmp_path / "old" / "m.gguf")
    adopt(old)
    old.unlink()
    [new] = write_tiny(tmp_path / "new" / "m.gguf")
    assert adopt(new).path == "local/m.gguf"
    assert files.find("m").stays_at == str(new)


def test_two_files_of_one_name_are_two_models(models: Path, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        adopt(write_tiny(tmp_path / folder / "m.gguf")[0])
    assert sorted(file.path for file in files.all_files()) == ["local/2/m.gguf", "local/m.gguf"]


def test_the_hops_of_a_link_end_where_it_does(tmp_path: Path) -> None:
    [link] = hub_cache(tmp_path / "hub", "acme/A", "A.gguf")
    own = tmp_path / "own.gguf"
    own.symlink_to(link)
    assert [*links.hops(own)] == [own, link, link.resolve()]
    loop = tmp_path / "loop.gguf"
    loop.symlink_to(loop)
    assert len([*links.hops(loop)]) == links.MOST_HOPS
    assert [*links.hops(tmp_path / "nothing")] == [tmp_path / "nothing"]


def test_a_whole_cache_a_store_and_a_folder_are_listed(tmp_path: Path) -> None:
    hub_cache(tmp_path / "hub", "acme/A-GGUF", "A-Q4_K_M.gguf")
    hub_cache(tmp_path / "hub", "acme/B-GGUF", "B-Q8_0.gguf", projector=True)
    found = stores.models_in(tmp_path / "hub")
    assert [one.path.name for one in found] == ["A-Q4_K_M.gguf", "B-Q8_0.gguf", "mmproj-F16.gguf"]
    ollama_store(tmp_path / ".ollama" / "models", "registry.ollama.ai/library/anvil/1b")
    for folder in (tmp_path / ".ollama", tmp_path / ".ollama" / "models"):
        assert [one.name for one in stores.models_in(folder)] == ["anvil-1b"]
    folder = studio(tmp_path / "lm", "acme/A-GGUF", "A-Q4_K_M.gguf", "A-Q8_0.gguf")
    assert len(stores.models_in(tmp_path / "lm")) == len(stores.models_in(folder)) == 3
    assert stores.models_in(tmp_path / "nowhere") == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"layers": [{"digest": "sha256:../../x"}]}'])
def test_a_broken_manifest_is_passed_over(tmp_path: Path, text: str) -> None:
    ollama_store(tmp_path, "registry.ollama.ai/library/anvil/1b")
    (tmp_path / "manifests" / "broken").write_text(text)
    assert [one.name for one in stores.models_in(tmp_path)] == ["anvil-1b"]


def test_nothing_is_linked_for_what_lies_there_already(models: Path) -> None:
    [file] = write_tiny(models / "a" / "m.gguf")
    assert adopt(file).path == "a/m.gguf"
    assert all_links(settings().models) == []


def test_where_the_file_has_gone_the_model_says_so_until_it_is_back(
    models: Path, tmp_path: Path
) -> None:
    [file] = write_tiny(tmp_path / "disk" / "m.gguf")
    name = adopt(file).name
    file.rename(tmp_path / "away.gguf")
    [model] = ENGINE.models()
    assert (model.name, model.state, model.stays_at) == (name, State.FAILED, str(file))
    assert "what its link leads to is not there" in model.problem
    assert "connect its disk again" in model.problem
    with pytest.raises(BrokenFile, match="has gone"):
        ENGINE.start(name, StartOptions())
    (tmp_path / "away.gguf").rename(file)
    [model] = ENGINE.models()
    assert (model.name, model.state, model.problem) == (name, State.STOPPED, "")
    file.unlink()
    ENGINE.remove(name)
    assert all_links(models) == []
    assert ENGINE.models() == []


def test_a_link_of_ours_that_leads_in_a_circle_is_told_too(models: Path) -> None:
    (models / "round.gguf").symlink_to(models / "round.gguf")
    [model] = ENGINE.models()
    assert "has gone" in model.problem


def test_a_projector_whose_file_has_gone_is_no_model(models: Path, tmp_path: Path) -> None:
    (models / "mmproj-F16.gguf").symlink_to(tmp_path / "nowhere.gguf")
    assert ENGINE.models() == []


def test_where_studio_and_the_service_of_ollama_keep_models_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("BERTH_SYSTEM_ROOT", str(tmp_path / "root"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    (tmp_path / ".lmstudio-home-pointer").write_text(f"{tmp_path}/studio\n")
    (tmp_path / "studio").mkdir()
    (tmp_path / "studio" / "settings.json").write_text('{"downloadsFolder": "/disk/two"}')
    (tmp_path / ".lmstudio").mkdir()
    (tmp_path / ".lmstudio" / "settings.json").write_text('{"downloadsFolder": 7}')
    found = stores.places([str(tmp_path / "own"), "/disk/two"])
    assert [(place.tool, str(place.folder).replace(str(tmp_path), "~")) for place in found] == [
        (stores.HUB, "~/hf/hub"),
        (stores.STUDIO, "~/.lmstudio/models"),
        (stores.STUDIO, "~/.cache/lm-studio/models"),
        (stores.STUDIO, "~/studio/models"),
        (stores.STUDIO, "/disk/two"),
        (stores.OLLAMA, "~/.ollama/models"),
        (stores.OLLAMA, "~/root/usr/share/ollama/.ollama/models"),
        (stores.OWN, "~/own"),
    ]


@pytest.mark.parametrize("text", ["", "[]", "{", "\0", "~nobody-of-this-name"], ids=ascii)
def test_a_broken_note_of_studio_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".lmstudio").mkdir()
    (tmp_path / ".lmstudio-home-pointer").write_text(text)
    (tmp_path / ".lmstudio" / "settings.json").write_text(text)
    folders = [place.folder for place in stores.places() if place.tool == stores.STUDIO]
    assert tmp_path / ".lmstudio/models" in folders
    assert stores.known_folders() == []

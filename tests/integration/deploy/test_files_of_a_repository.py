"""Every file of a repository can be chosen by its name, and who names one gets that one."""

from pathlib import Path

import pytest

from lib import deploy
from lib.core.errors import BadInput, BerthError, NotFound
from lib.deploy import Plan
from lib.fit.kinds import WORDS, Kind
from lib.fit.memory import Room
from lib.hub import look_up, search
from lib.hub.errors import FileMissing
from tests.support.blueprints_dense import dense
from tests.support.by_products import KINDS, write_by_product
from tests.support.headers import write
from tests.support.hub_api import HubApi
from tests.support.ollama import faking
from tests.support.shapes import PATTERN, header_bytes
from tests.support.tiny_gguf import write_tiny

pytestmark = pytest.mark.usefixtures("no_ollama")

REPO = "acme/Forge-GGUF"
MB = 10**6
ROOM = Room(free_bytes=64 * 2**30, total_bytes=128 * 2**30)


def larger_header(folder: Path) -> bytes:
    """The beginning of a model of four times as many layers."""
    shape = dense(
        layers=32, width=512, forward=1024, heads=8, kv=4, vocabulary=4_096, length=128, tied=True
    )
    return write(folder / "larger.gguf", shape).read_bytes()[:65_536]


def fill(hub: HubApi, files: dict[str, int], header: bytes = b"", repo: str = REPO) -> None:
    """A repository of these files, whose sizes are given in megabytes."""
    if repo not in hub.repositories:
        hub.copy_repository(PATTERN, repo, siblings=[], tags=["gguf"])
    for name, size in files.items():
        hub.add_file(repo, name, header or header_bytes(), size=size * MB)


def planned(model: str = REPO, **fields: object) -> Plan:
    return deploy.plan(deploy.wished(model=model, **fields), ROOM)


def names(found: Plan) -> list[str]:
    return [row.name for row in found.rows]


@pytest.mark.parametrize(
    "word", ["MTP", "LoRA-merged", "Eagle", "Draft", "imatrix", "mmproj", "adapter", "layers"]
)
@pytest.mark.parametrize("place", ["{}-Forge-9B-{}", "Forge-9B-{}-{}", "v5-{}-7B-{}"])
def test_a_word_in_the_names_hides_no_model(hub: HubApi, word: str, place: str) -> None:
    fill(hub, {f"{place.format(word, q)}.gguf": size for q, size in (("Q4_K_M", 600), ("Q8_0", 9))})
    assert set(names(planned())) == {"Q4_K_M", "Q8_0"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name", ["Forge-9B-MTP-Q8_0.gguf", "plain-Q8_0.gguf", "sub/Other-F16.gguf"]
)
def test_what_cannot_run_alone_is_known_by_its_header(
    hub: HubApi, tmp_path: Path, kind: str, name: str
) -> None:
    fill(hub, {"Forge-9B-Q4_K_M.gguf": 600, "Forge-9B-Q8_0.gguf": 900})
    hub.add_file(REPO, name, write_by_product(tmp_path / "x.gguf", kind).read_bytes())
    assert set(names(planned())) == {"Q4_K_M", "Q8_0"}
    with pytest.raises(BadInput) as caught:
        planned(file=name)
    assert Path(name).name in caught.value.message
    assert "Q4_K_M" in caught.value.fix


def test_a_repository_of_by_products_alone_says_what_they_are(hub: HubApi, tmp_path: Path) -> None:
    data = write_by_product(tmp_path / "x.gguf", "adapter").read_bytes()
    fill(hub, {"Forge-LoRA-F16.gguf": 90}, data)
    with pytest.raises(BadInput) as caught:
        planned()
    assert WORDS[Kind.ADAPTER] in caught.value.message


def test_a_projector_of_any_name_lets_its_models_see(hub: HubApi, tmp_path: Path) -> None:
    fill(hub, {"Forge-VL-9B-Q4_K_M.gguf": 600})
    data = write_by_product(tmp_path / "x.gguf", "projector").read_bytes()
    hub.add_file(REPO, "vision-encoder-F16.gguf", data)
    found = planned(engine="llamacpp")
    assert names(found) == ["Q4_K_M"]
    assert found.projector is not None
    assert found.projector.path == "vision-encoder-F16.gguf"


def test_where_no_header_can_be_read_the_names_decide(hub: HubApi) -> None:
    fill(hub, {"Forge-9B-Q4_K_M.gguf": 600, "Forge-9B-MTP-Q8_0.gguf": 90, "mmproj-F16.gguf": 50})
    del hub.files[f"/{REPO}/resolve/{hub.repositories[REPO]['sha']}/Forge-9B-MTP-Q8_0.gguf"]
    assert names(planned()) == ["Q4_K_M"]


def test_the_two_files_of_a_quantization_are_two_rows(hub: HubApi) -> None:
    fill(hub, {"Anvil-8B-IQ2_M.gguf": 3000, "Anvil-8B-UD-IQ2_M.gguf": 3200})
    assert names(planned()) == ["IQ2_M", "UD-IQ2_M"]
    assert [row.bytes for row in planned().rows] == [3000 * MB, 3200 * MB]
    for wish in ("UD-IQ2_M", "ud-iq2_m"):
        assert planned(quantization=wish).files[0].path == "Anvil-8B-UD-IQ2_M.gguf"
    assert planned(quantization="IQ2_M").files[0].path == "Anvil-8B-IQ2_M.gguf"


def test_a_mixture_that_is_alone_is_found_without_its_mark(hub: HubApi) -> None:
    fill(hub, {"Anvil-8B-UD-Q4_K_XL.gguf": 5200, "Anvil-8B-Q8_0.gguf": 8500})
    assert planned(quantization="Q4_K_XL").title == "UD-Q4_K_XL"


@pytest.mark.parametrize(
    ("files", "listed"),
    [
        (["Anvil-30B-APEX-I-Mini", "Anvil-30B-APEX-Quality"], {"APEX-I-Mini", "APEX-Quality"}),
        (["anvil-4k-instruct-q4", "anvil-4k-instruct-fp16"], {"q4", "F16"}),
        (["Anvil-8B-Q4_K_P", "Anvil-8B-Q8_K_P"], {"Q4_K_P", "Q8_K_P"}),
        (["Anvil-8B-IQ4_KS"], {"IQ4_KS"}),
        (["model"], {"model"}),
    ],
)  # fmt: skip
def test_what_the_table_does_not_know_is_listed_under_its_own_name(
    hub: HubApi, files: list[str], listed: set[str]
) -> None:
    fill(hub, {f"{name}.gguf": 600 + at for at, name in enumerate(files)})
    rows = planned().rows
    assert {row.name for row in rows} == listed
    for row in rows:
        assert planned(quantization=row.name).files[0].path == row.files[0]
        assert row.note == "As published" or row.note.startswith("Quality unknown")
        assert not row.is_poor or "bits" in row.note


def test_of_an_unknown_one_the_header_tells_how_it_is_stored(hub: HubApi) -> None:
    fill(hub, {"model.gguf": 24})
    [row] = planned().rows
    assert row.type == "Q4_K_M"
    assert "stored as Q4_K_M, about" in row.note
    assert "bits a weight" in row.note


def test_by_itself_only_a_measured_quality_is_chosen(hub: HubApi) -> None:
    fill(hub, {"Anvil-8B-Q4_K_M.gguf": 4900, "Anvil-8B-Q4_K_P.gguf": 5900})
    assert planned().title == "Q4_K_M"


def test_several_models_each_have_their_own_shape(hub: HubApi, tmp_path: Path) -> None:
    fill(hub, {"Anvil-1B-Q4_K_M.gguf": 700})
    fill(hub, {"Anvil-8B-Q4_K_M.gguf": 4900, "Anvil-8B-q4.gguf": 4800}, larger_header(tmp_path))
    found = planned()
    caches = {row.name: row.need.kv_cache for row in found.rows}
    assert caches["Anvil-8B-Q4_K_M"] == caches["Anvil-8B-q4"] == 4 * caches["Anvil-1B-Q4_K_M"]
    assert any("may mean" in said for said in planned(quantization="Q4_K_M").warnings)
    exact = planned(quantization="Anvil-1B-Q4_K_M")
    assert exact.files[0].path == "Anvil-1B-Q4_K_M.gguf"
    assert not any("may mean" in said for said in exact.warnings)


@pytest.mark.parametrize(
    ("file", "path"),
    [
        ("Anvil-8B-Q4_K_M.gguf", "Anvil-8B-Q4_K_M.gguf"),
        ("Anvil-8B-q4.gguf", "Anvil-8B-q4.gguf"),
        ("old", "old/Anvil-8B-Q8_0.gguf"),
        ("old/Anvil-8B-Q8_0.gguf", "old/Anvil-8B-Q8_0.gguf"),
        ("Anvil-8B-Q8_0.gguf", "old/Anvil-8B-Q8_0.gguf"),
        ("*8B*q4_k_m*", "Anvil-8B-Q4_K_M.gguf"),
        ("*-00001-of-*.gguf", "Anvil-70B-Q4_K_M-00001-of-00002.gguf"),
        ("Anvil-70B-Q4_K_M-00002-of-00002.gguf", "Anvil-70B-Q4_K_M-00001-of-00002.gguf"),
        ("README.md", "Anvil-1B-Q4_K_M.gguf"),
    ],
)
def test_who_names_a_file_gets_that_file(hub: HubApi, file: str, path: str) -> None:
    fill(hub, {"Anvil-1B-Q4_K_M.gguf": 700})
    if file == "README.md":
        hub.add_file(REPO, file, b"# Anvil")
    else:
        fill(hub, {"Anvil-8B-Q4_K_M.gguf": 4900, "Anvil-8B-q4.gguf": 4800})
        fill(hub, {"old/Anvil-8B-Q8_0.gguf": 8500})
        for part in (1, 2):
            fill(hub, {f"Anvil-70B-Q4_K_M-{part:05d}-of-00002.gguf": 21_000})
    assert planned(file=file, engine="llamacpp").files[0].path == path


@pytest.mark.parametrize(
    ("file", "error", "said"),
    [
        ("Anvil-9B-Q4_K_M.gguf", FileMissing, "has no GGUF file"),
        ("Q6_K", FileMissing, "has no GGUF file"),
        ("v1.5", FileMissing, "has no GGUF file"),
        ("*Q6_K*", FileMissing, "has no GGUF file"),
        ("model.safetensors", BadInput, "is no GGUF file"),
        ("Anvil-70B-Q4_K_M-00001-of-00003.gguf", BadInput, "part of a divided model"),
        ("mmproj-F16.gguf", BadInput, "a projector, which lets a model see"),
    ],
)
def test_a_file_that_cannot_be_had_is_never_replaced(
    hub: HubApi, file: str, error: type[BerthError], said: str
) -> None:
    fill(hub, {"Anvil-1B-Q4_K_M.gguf": 700, "mmproj-F16.gguf": 9, "model.safetensors": 2400})
    fill(hub, {"Anvil-70B-Q4_K_M-00001-of-00003.gguf": 9})
    with pytest.raises(error, match=said) as caught:
        planned(file=file)
    assert "Choose one of Q4_K_M" in caught.value.fix or "Anvil" in caught.value.fix


def test_a_file_of_a_repository_without_gguf_files_is_not_replaced_by_anothers(hub: HubApi) -> None:
    with pytest.raises(BadInput, match="is no GGUF file") as caught:
        planned("acme/Anvil-1B", file="model.safetensors")
    assert "Give acme/Anvil-1B alone" in caught.value.fix


def test_a_revision_is_deployed_as_it_is(hub: HubApi) -> None:
    fill(hub, {"Anvil-1B-Q4_K_M.gguf": 700})
    sha = hub.repositories[REPO]["sha"]
    assert planned(revision=sha).revision == sha
    with pytest.raises(NotFound, match="no revision"):
        planned(revision="v9")


@pytest.mark.parametrize(
    ("files", "wish", "name"),
    [
        (["Anvil-8B-Q4_K_M"], "Q4_K_M", "hf.co/{}:Q4_K_M"),
        (["Anvil-8B-UD-Q4_K_XL", "Anvil-8B-Q8_0"], "UD-Q4_K_XL", "hf.co/{}:UD-Q4_K_XL"),
        (["Anvil-8B-Q4_K_P"], "Q4_K_P", "hf.co/{}:Anvil-8B-Q4_K_P.gguf"),
        (["Anvil-1B-Q8_0", "Anvil-8B-Q8_0"], "Anvil-8B-Q8_0", "hf.co/{}:Anvil-8B-Q8_0.gguf"),
        (["m-Q8_0", "m-Q8_0-pure"], "Q8_0", "hf.co/{}:m-Q8_0.gguf"),
        (["m-q4-k-m"], "Q4_K_M", "hf.co/{}:m-q4-k-m.gguf"),
        (["m-fp16", "m-Q8_0"], "F16", "hf.co/{}:m-fp16.gguf"),
        (["m-Q4_K_M_fixed"], "Q4_K_M", "hf.co/{}:m-Q4_K_M_fixed.gguf"),
        (["m-Q4_K_XL", "m-UD-Q4_K_XL"], "Q4_K_XL", "hf.co/{}:m-Q4_K_XL.gguf"),
        (["m-Q4_K_XL", "m-UD-Q4_K_XL"], "UD-Q4_K_XL", "hf.co/{}:UD-Q4_K_XL"),
        (["m-Q6_K", "m-Q6_K_L"], "Q6_K", "hf.co/{}:Q6_K"),
        (["m-Q8_0", "m-Q6_K-out-Q8_0"], "Q8_0", "hf.co/{}:m-Q8_0.gguf"),
        (["v1/m-Q8_0", "v2/m-Q8_0"], "v2/m-Q8_0", ""),
        (["sub/m-Q4_K_P"], "Q4_K_P", ""),
        (["m" * 90 + "-Q4_K_P"], "Q4_K_P", ""),
    ],
)
def test_ollama_pulls_exactly_the_chosen_file_or_nothing(
    hub: HubApi, monkeypatch: pytest.MonkeyPatch, files: list[str], wish: str, name: str
) -> None:
    fill(hub, {f"{file}.gguf": 900 + at for at, file in enumerate(files)})
    monkeypatch.setattr("lib.deploy.way.HUB", hub.url)
    with faking(monkeypatch):
        found = planned(quantization=wish)
        built_in = planned(quantization=wish, engine="ollama")
    assert (found.name, found.is_pulled) == (name.format(REPO), bool(name))
    assert found.engine.name == ("ollama" if name else "llamacpp")
    assert name or "no name that means" in found.engine.reason
    assert built_in.name.startswith(f"hf.co/{REPO}:")


def test_a_vision_models_card_tells_of_the_model(hub: HubApi, tmp_path: Path) -> None:
    clip = {"total": 460_000_000, "architecture": "clip", "context_length": 0}
    hub.copy_repository(PATTERN, REPO, siblings=[], gguf=clip)
    fill(hub, {"Forge-VL-9B-Q4_K_M.gguf": 600})
    card = look_up(REPO)
    assert (card.architecture, card.parameters) == ("", None)
    plan = planned()
    told = card.described(plan.architecture, plan.parameters, plan.context_trained)
    assert told.architecture == "llama"
    assert told.parameters == plan.parameters > 10_000_000
    [row] = [one for one in search("Forge") if one.id == REPO]
    assert row.parameters is None, "nobody knows how large the model is"


def test_many_files_are_judged_with_few_questions(hub: HubApi) -> None:
    fill(hub, {f"Anvil-{n}B-Q4_K_M.gguf": 700 + n for n in range(1, 61)})
    hub.requests.clear()
    assert len(planned().rows) == 60
    assert len(hub.requests) < 12
    hub.requests.clear()
    planned()
    assert hub.requests == []


def test_many_files_of_one_model_are_judged_by_one_header(hub: HubApi) -> None:
    marks = [f"v{number}-{name}" for number in range(10) for name in ("Q4_K_M", "Q8_0", "Q6_K")]
    fill(hub, {f"Anvil-8B-{mark}.gguf": 700 for mark in marks})
    hub.requests.clear()
    assert len(planned().rows) == 30
    assert len(hub.requests) < 8


def test_of_many_models_the_chosen_one_is_judged_by_its_own_header(
    hub: HubApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lib.machine.bandwidth.of_this_machine", lambda: 1e12)
    fill(hub, {f"Anvil-{n}B-Q4_K_M.gguf": 700 + n for n in range(1, 31)})
    fill(hub, {"Anvil-99B-Q8_0.gguf": 2_000}, larger_header(tmp_path))
    found = planned()
    assert first_name(found) == "Anvil-99B-Q8_0.gguf"
    small = planned(file="Anvil-7B-Q4_K_M.gguf")
    assert found.parameters > 2 * small.parameters
    [row] = [one for one in found.rows if one.name == found.title]
    assert row.need == found.need


def first_name(found: Plan) -> str:
    return found.files[0].path


def test_of_one_model_no_more_is_asked_than_its_card_and_a_header(hub: HubApi) -> None:
    fill(hub, {f"Anvil-8B-{q}.gguf": 900 for q in ("Q4_K_M", "Q8_0", "UD-Q4_K_XL", "IQ4_KS")})
    fill(hub, {"mmproj-F16.gguf": 90, "imatrix.gguf": 1})
    hub.requests.clear()
    planned()
    assert len(hub.requests) == 2


def test_a_file_in_a_folder_is_adopted_like_any_other(tmp_path: Path) -> None:
    [file] = write_tiny(tmp_path / "Forge-8B-imatrix-Q4_K_M.gguf")
    assert deploy.plan(deploy.wished(model=str(file)), ROOM).title
    bad = write_by_product(tmp_path / "plain.gguf", "adapter")
    with pytest.raises(BadInput, match="an adapter"):
        deploy.plan(deploy.wished(model=str(bad)), ROOM)

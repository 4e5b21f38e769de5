"""What users of similar tools have met, each once from what they gave to what they get here."""

import re
import struct
from collections.abc import Mapping
from pathlib import Path

import pytest

from lib import deploy
from lib import hub as the_hub
from lib.core.errors import CannotRun
from lib.core.settings import settings
from lib.deploy import Plan
from lib.download.hub_files import fetch
from lib.engines.llamacpp import ENGINE, adopt
from lib.engines.room import room_now
from lib.fit import gguf
from lib.fit.memory import Room
from lib.hub import look_up
from lib.hub.errors import FileMissing
from lib.jobs.report import Report
from tests.support.blueprints_dense import dense
from tests.support.deployment import Script
from tests.support.download import HASTE
from tests.support.fake_hub import FakeHub, Manner
from tests.support.headers import write
from tests.support.hub_api import HubApi
from tests.support.ollama import faking
from tests.support.shapes import PATTERN
from tests.support.stores import hub_cache
from tests.support.tiny_gguf import write_tiny

pytestmark = pytest.mark.usefixtures("no_ollama", "fast")

MB = 10**6
ROOM = Room(free_bytes=64 * 2**30, total_bytes=128 * 2**30)
QUANTS = ("IQ2_M", "UD-IQ2_M", "Q4_K_M", "UD-Q4_K_XL")
SIZES = dict(
    zip((f"Anvil-8B-{name}.gguf" for name in QUANTS), (3000, 3200, 4900, 5200), strict=True)
)
TWO = {"Anvil-1B-Q4_K_M.gguf": 700, "Anvil-8B-Q4_K_M.gguf": 4900, "Anvil-8B-q4.gguf": 4800}


@pytest.fixture
def headers(tmp_path: Path) -> dict[str, bytes]:
    """The beginning of a small and of a larger model."""

    def made(layers: int) -> bytes:
        shape = dense(
            layers=layers, width=512, forward=1024, heads=8, kv=4, vocabulary=4_096, length=128,
            tied=True,
        )  # fmt: skip
        return write(tmp_path / f"{layers}.gguf", shape).read_bytes()[:65_536]

    return {"1B": made(8), "8B": made(32)}


def fill(
    hub: HubApi, repo: str, files: Mapping[str, int], headers: Mapping[str, bytes], **more: object
) -> str:
    hub.copy_repository(PATTERN, repo, siblings=[], **more)
    for name, size in files.items():
        hub.add_file(repo, name, headers["8B" if "8B" in name else "1B"], size=size * MB)
    return repo


def planned(text: str, room: Room = ROOM, **fields: object) -> Plan:
    return deploy.plan(deploy.wished(model=text, engine="llamacpp", **fields), room)


def names(found: Plan) -> list[str]:
    return [row.name for row in found.rows]


def first_file(found: Plan) -> str:
    return Path(found.files[0].path).name


@pytest.mark.parametrize(
    ("name", "parts", "projector"),
    [("Anvil-1B-Q4_K_M", 1, False), ("Anvil-2B-Q4_K_M", 2, False), ("Anvil-VL-1B-Q4_K_M", 1, True)],
)
def test_a_model_inside_the_hubs_cache_is_used_by_its_path(
    tmp_path: Path, home: Path, name: str, parts: int, projector: bool
) -> None:
    links = hub_cache(tmp_path / "c", "acme/A", f"{name}.gguf", parts=parts, projector=projector)
    found = planned(str(links[0]))
    assert found.verdict.fits
    assert ("lets it see images" in found.source) == projector
    file = adopt.adopt(links[0])
    assert (file.name, bool(file.projector)) == (name, projector)
    ENGINE.remove(file.name)
    assert all(link.exists() for link in links)
    assert not [path for path in (home / "models").rglob("*") if path.is_symlink()]


@pytest.mark.parametrize(
    "name", ["Forge-9B-MTP", "Forge-8B-LoRA-merged", "v5-Eagle-7B", "Forge-Draft-Writer-8B"]
)
def test_a_word_in_its_name_hides_no_repository(
    hub: HubApi, headers: dict[str, bytes], name: str
) -> None:
    files = {f"{name}-Q4_K_M.gguf": 600, f"{name}-Q8_0.gguf": 900, "mmproj-F16.gguf": 90}
    assert names(planned(fill(hub, f"acme/{name}-GGUF", files, headers))) == ["Q8_0", "Q4_K_M"]


def test_a_file_on_the_disk_is_a_model_whatever_word_its_name_has(tmp_path: Path) -> None:
    [file] = write_tiny(tmp_path / "Forge-8B-imatrix-Q4_K_M.gguf")
    assert planned(str(file)).verdict.fits
    assert adopt.adopt(file).name == "Forge-8B-imatrix-Q4_K_M"
    assert [model.name for model in ENGINE.models()] == ["Forge-8B-imatrix-Q4_K_M"]


def test_the_card_of_a_model_that_sees_tells_of_the_model_and_not_of_its_projector(
    hub: HubApi, headers: dict[str, bytes]
) -> None:
    clip = {"total": 460 * MB, "architecture": "clip", "context_length": 0}
    files = {"Forge-VL-9B-Q4_K_M.gguf": 600, "mmproj-F16.gguf": 90}
    repo = fill(hub, "acme/Forge-VL-9B-GGUF", files, headers, gguf=clip)
    found, card = planned(repo), look_up(repo)
    told = card.described(found.architecture, found.parameters, found.context_trained)
    assert (told.architecture, told.parameters) == ("llama", found.parameters)
    [row] = [one for one in the_hub.search("Forge-VL") if one.id == repo]
    assert (row.architecture, row.parameters) == ("", None)


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("hf.co/acme/Anvil-8B-GGUF:UD-Q4_K_XL", "Anvil-8B-UD-Q4_K_XL.gguf"),
        ("ollama run hf.co/acme/Anvil-8B-GGUF:UD-Q4_K_XL", "Anvil-8B-UD-Q4_K_XL.gguf"),
        ("llama-server -hf acme/Anvil-8B-GGUF:UD-IQ2_M", "Anvil-8B-UD-IQ2_M.gguf"),
        ("acme/Anvil-8B-GGUF:IQ2_M", "Anvil-8B-IQ2_M.gguf"),
    ],
)
def test_a_tag_with_a_publishers_mark_means_exactly_that_file(
    hub: HubApi,
    headers: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    file: str,
) -> None:
    repo = fill(hub, "acme/Anvil-8B-GGUF", SIZES, headers)
    assert first_file(planned(text)) == file
    assert set(names(planned(repo))) == set(QUANTS)
    tag = text.rpartition(":")[2]
    assert first_file(planned(repo, quantization=tag)) == file
    monkeypatch.setattr("lib.deploy.way.HUB", hub.url)
    with faking(monkeypatch):
        pulled = deploy.plan(deploy.wished(model=text, engine="ollama"), ROOM)
    exact = tag if tag.startswith("UD-") else file  # the shorter one stands in both names
    assert pulled.name == f"hf.co/{repo}:{exact}"


@pytest.mark.parametrize("wanted", ["Anvil-8B-Q4_K_M.gguf", "Anvil-8B-q4.gguf"])
@pytest.mark.parametrize(
    "form",
    [
        "https://huggingface.co/{repo}/blob/main/{file}",
        "https://huggingface.co/{repo}/resolve/main/{file}",
        "https://huggingface.co/{repo}/tree/main?show_file_info={file}",
        "{repo}/{file}",
        "{repo}:{file}",
        "hf download {repo} {file}",
    ],
)
def test_a_link_to_one_exact_file_deploys_that_file(
    hub: HubApi, headers: dict[str, bytes], form: str, wanted: str
) -> None:
    repo = fill(hub, "acme/Anvil-GGUF", TWO, headers)
    found = planned(form.format(repo=repo, file=wanted))
    assert (first_file(found), found.files[0].bytes) == (wanted, TWO[wanted] * MB)
    small = planned(f"{repo}/Anvil-1B-Q4_K_M.gguf")
    assert small.parameters < found.parameters, "the header is that of the file"
    with pytest.raises(FileMissing, match="has no GGUF file “Anvil-9B"):
        planned(form.format(repo=repo, file="Anvil-9B-Q4_K_M.gguf"))


@pytest.mark.parametrize(
    ("repo", "files", "rows"),
    [
        (
            "acme/Anvil-30B-APEX-GGUF",
            ["Anvil-30B-APEX-I-Compact", "Anvil-30B-APEX-Balanced"],
            {"APEX-I-Compact", "APEX-Balanced"},
        ),
        (
            "acme/anvil-mini-4k-instruct-gguf",
            ["anvil-mini-4k-instruct-q4", "anvil-mini-4k-instruct-fp16"],
            {"q4", "F16"},
        ),
        ("acme/Anvil-8B-KP-GGUF", ["Anvil-8B-Q4_K_P", "Anvil-8B-Q8_K_P"], {"Q4_K_P", "Q8_K_P"}),
        ("acme/Anvil-Plain-GGUF", ["model"], {"model.gguf"}),
    ],
)
def test_a_quantization_that_no_table_has_is_chosen_by_its_name(
    hub: HubApi, headers: dict[str, bytes], repo: str, files: list[str], rows: set[str]
) -> None:
    fill(hub, repo, {f"{name}.gguf": 600 + 100 * at for at, name in enumerate(files)}, headers)
    found = planned(repo)
    assert len(found.rows) == len(files)
    said = {re.sub(r"^Anvil-30B-", "", name) for name in names(found)}
    assert said == rows or len(rows) == 1
    for row in found.rows:
        chosen = planned(repo, quantization=row.name)
        assert chosen.title == row.name
        assert chosen.files[0].bytes == row.bytes


def with_type(path: Path, number: int) -> Path:
    """The tiny model with its last tensor of this type, in a place that is long enough for it."""
    [file] = write_tiny(path)
    found = gguf.read_file(file)
    data, name = file.read_bytes(), found.tensors[-1].name.encode()
    at = data.index(struct.pack("<Q", len(name)) + name) + 8 + len(name)
    place = at + 4 + 8 * len(found.tensors[-1].shape)
    file.write_bytes(data[:place] + struct.pack("<I", number) + data[place + 4 :])
    return file


def test_a_type_of_tensors_that_the_engine_knows_is_accepted_and_another_told_for_what_it_is(
    tmp_path: Path,
) -> None:
    found = planned(str(with_type(tmp_path / "Anvil-1B-Q2_0.gguf", 42)))
    assert found.verdict.fits
    with pytest.raises(CannotRun, match="does not know tensors of type 77") as caught:
        planned(str(with_type(tmp_path / "Anvil-1B-Unheard.gguf", 77)))
    assert "ownload it again" not in caught.value.fix


@pytest.mark.parametrize("entry", ["localhost,[::1]", "fd07:b51a:cc66:f0::/64", "[::1]"])
def test_an_entry_of_no_proxy_for_ipv6_breaks_no_call_to_the_hub(
    hub: HubApi, headers: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, entry)
    assert planned(fill(hub, "acme/Anvil-GGUF", TWO, headers)).rows


@pytest.mark.parametrize(
    "text",
    [
        "llama serve -hf {repo}:Q4_K_M",
        "llama-server --jinja -hf {repo}",
        "./llama.cpp/llama-cli -hf {repo}",
        "hf://{repo}",
        "hf download --local-dir x {repo}",
        "{repo}:Q4_K_M",
        "https://huggingface.co/{repo}",
        "hf.co/{repo}",
    ],
)
def test_what_a_models_page_offers_to_copy_is_understood_here_and_in_the_terminal(
    hub: HubApi, headers: dict[str, bytes], text: str
) -> None:
    repo = fill(hub, PATTERN, {"Anvil-1B-Q4_K_M.gguf": 700}, headers)
    pasted = text.format(repo=repo)
    assert the_hub.parse_reference(pasted).repo == repo
    assert planned(pasted).repository == repo


@pytest.mark.parametrize("status", [400, 403, 404, 503])
def test_an_address_that_the_storage_refuses_is_asked_for_anew(
    hub: HubApi, tmp_path: Path, status: int
) -> None:
    [whole] = write_tiny(tmp_path / "m.gguf")
    hub.copy_repository(PATTERN, "acme/Moved-GGUF", siblings=[])
    with FakeHub() as storage:
        manner = Manner(status=status, times=1)
        kept = storage.add("acme/store", "main", "blob", whole.read_bytes(), manner)
        elsewhere = Manner(redirect_to=kept)
        hub.add_file("acme/Moved-GGUF", "Moved-1B-Q4_K_M.gguf", whole.read_bytes(), elsewhere)
        card = look_up("acme/Moved-GGUF")
        paths = ["Moved-1B-Q4_K_M.gguf"]
        [file] = fetch(card, paths, Report(), HASTE)
    assert file.read_bytes() == whole.read_bytes()
    assert file.is_relative_to(settings().models)


def test_what_zfs_keeps_of_files_counts_as_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = room_now().free_bytes
    stats = tmp_path / "arcstats"
    stats.write_text(f"size 4 {40 * 2**30}\nc_min 4 {2 * 2**30}\n")
    monkeypatch.setattr("lib.machine.sampler.ZFS_CACHE", stats)
    assert room_now().free_bytes > before + 2**29 or room_now().total_bytes < before + 2**30


def test_a_model_that_cannot_be_run_here_is_told_before_the_download(
    hub: HubApi, tmp_path: Path
) -> None:
    made = dense("t5", layers=2, width=64, forward=128, heads=2, kv=2, vocabulary=64, length=32)
    file = write(tmp_path / "Anvil-T5-Q8_0.gguf", made)
    repo = "acme/Anvil-T5-GGUF"
    hub.copy_repository(PATTERN, repo, siblings=[])
    hub.add_file(repo, file.name, file.read_bytes())
    for text in (str(file), repo):
        with pytest.raises(CannotRun, match="cannot be run here"):
            planned(text)


def test_a_machine_of_256_processors_is_looked_at_each_time(tmp_path: Path) -> None:
    script = Script(tmp_path / "script")
    one = "processor\t: {}\nmodel name\t: Example EX 9999 @ 2.60GHz\ncpu MHz\t\t: 2600.0\n\n"
    (tmp_path / "cpuinfo").write_text("".join(one.format(n) for n in range(256)))
    told = script.call(f'for n in 1 2 3 4 5 6 7 8; do cpu_name "{tmp_path}/cpuinfo"; done')
    assert (told.returncode, told.stdout) == (0, "Example EX 9999 @ 2.60GHz\n" * 8)

"""What a deployment would do, for a Hub and a machine of the test's making."""

import json
import re
from pathlib import Path

import pytest

from lib import deploy
from lib.core.errors import (
    DoesNotFit,
    NoSpace,
)
from lib.deploy import DeployRequest, Plan, Tier, require_disk, require_room
from lib.deploy.__main__ import main
from lib.deploy.table import table
from lib.download.partial import RESERVE_BYTES
from lib.engines.base import StartOptions
from lib.engines.llamacpp import ENGINE, oracle
from lib.fit.architecture import geometry
from lib.fit.gguf import read_file
from lib.fit.memory import FULL, Load, Room, need
from lib.machine.bandwidth import Known
from tests.support.berth import stop_engines
from tests.support.blueprints import MODELS
from tests.support.deployment import REPOSITORY, add_tiny
from tests.support.expect import expect_failure
from tests.support.headers import write
from tests.support.hub_api import HubApi
from tests.support.plans import blueprint_file
from tests.support.shapes import add_model
from tests.support.tiny_gguf import CHATML, write_tiny, write_truncated

pytestmark = pytest.mark.usefixtures("no_ollama", "fast")

GB = 10**9
SIZES = {"Q8_0": 8 * GB, "Q6_K": 6 * GB, "Q4_K_M": 4 * GB, "Q2_K": 2 * GB}
BIG = "acme/Big-GGUF"


@pytest.fixture
def big(hub: HubApi) -> HubApi:
    add_model(hub, BIG, SIZES)
    return hub


def room(free_gib: float) -> Room:
    return Room(free_bytes=round(free_gib * 2**30), total_bytes=round(free_gib * 2**31))


def planned(free_gib: float, **fields: object) -> Plan:
    return deploy.plan(deploy.wished(model=BIG, **fields), room(free_gib))


@pytest.mark.usefixtures("big")
@pytest.mark.parametrize(
    ("free_gib", "quantization"), [(64, "Q8_0"), (8, "Q6_K"), (6, "Q4_K_M"), (0.5, "Q4_K_M")]
)
def test_the_best_that_fits_comfortably_is_chosen(free_gib: float, quantization: str) -> None:
    found = planned(free_gib)
    assert found.quantization == quantization
    recommended = [row.quantization for row in found.rows if row.is_recommended]
    assert recommended == ([quantization] if found.verdict.fits else [])


@pytest.mark.usefixtures("big")
@pytest.mark.parametrize(
    ("gb_per_second", "quantization"), [(200, "Q8_0"), (100, "Q6_K"), (70, "Q4_K_M"), (9, "Q4_K_M")]
)
def test_what_writes_faster_than_one_reads_goes_before_what_is_finer(
    monkeypatch: pytest.MonkeyPatch, gb_per_second: int, quantization: str
) -> None:
    monkeypatch.setattr("lib.machine.bandwidth.of_this_machine", lambda: gb_per_second * GB)
    found = planned(64)
    assert found.quantization == quantization
    assert [row.name for row in found.rows if row.is_recommended] == [quantization]
    assert planned(64, quantization="Q8_0").quantization == "Q8_0"


@pytest.mark.usefixtures("big")
def test_no_model_is_told_to_write_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lib.machine.bandwidth.of_this_machine", lambda: 10**8)
    text = table(planned(64))
    assert "less than 0.1 tok/s" in text
    assert not re.search(r"\b0(\.0)? tok/s", text)


@pytest.mark.usefixtures("big")
@pytest.mark.parametrize("is_rough", [True, False])
def test_a_speed_that_was_measured_among_busy_programs_is_marked(
    monkeypatch: pytest.MonkeyPatch, is_rough: bool
) -> None:
    seen = Known(measured=GB, is_rough=is_rough)
    monkeypatch.setattr("lib.machine.bandwidth.known", lambda: seen)
    found = planned(64)
    assert found.is_speed_rough == is_rough
    assert ("other programs were busy" in table(found)) == is_rough


def test_a_step_down_that_is_hardly_faster_is_not_taken(
    hub: HubApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lib.machine.bandwidth.of_this_machine", lambda: 10 * GB)
    add_model(hub, BIG, {"Q6_K": 6 * GB, "Q5_K_M": 5 * GB, "Q3_K_M": 3 * GB})
    assert planned(64).quantization == "Q6_K"


@pytest.mark.usefixtures("big")
def test_no_context_is_shortened_in_silence_to_less_than_a_conversation_needs() -> None:
    wanted = planned(64, quantization="Q4_K_M", context=4_096).need.total
    room_for = wanted / FULL / 2**30
    just = planned(room_for * 1.005, quantization="Q4_K_M")
    assert just.context >= 4_096
    assert just.verdict.fits
    short = planned(room_for * 0.995, quantization="Q4_K_M")
    assert short.context == 8_192
    assert not short.verdict.fits
    assert short.verdict.word.startswith("Fits with context")
    error = expect_failure("does_not_fit", lambda: require_room(short, accept_danger=True))
    assert "Nearest: Q2_K" in error.fix
    asked = planned(room_for * 0.995, quantization="Q4_K_M", context=1_024)
    assert (asked.context, asked.verdict.fits) == (1_024, True)


@pytest.mark.usefixtures("big")
def test_half_the_cache_is_offered_where_that_would_do() -> None:
    half = planned(64, quantization="Q4_K_M", context=65_536, kv_type="q8_0").need
    whole = planned(64, quantization="Q4_K_M", context=65_536).need
    assert half.kv_cache == whole.kv_cache * 17 // 32
    between = (half.total + whole.total) / 2 / FULL / 2**30
    found = planned(between, quantization="Q4_K_M", context=65_536)
    assert found.fits_with_smaller_cache
    error = expect_failure("does_not_fit", lambda: require_room(found, accept_danger=True))
    assert "--kv-type q8_0" in error.fix
    smaller = planned(between, quantization="Q4_K_M", context=65_536, kv_type="q8_0")
    assert (smaller.verdict.fits, smaller.fits_with_smaller_cache) == (True, False)


def test_what_is_published_in_mxfp4_is_not_called_weaker(hub: HubApi, tmp_path: Path) -> None:
    file = write(tmp_path / "oss.gguf", MODELS["gpt-oss-20b"]())
    with file.open("rb") as beginning:
        data = beginning.read(2**20)
    hub.copy_repository("acme/Anvil-1B-GGUF", BIG, siblings=[])
    for name in ("Q4_K_M", "MXFP4"):
        hub.add_file(BIG, f"oss-20b-{name}.gguf", data, size=12 * GB)
    notes = {row.name: row.note for row in planned(64).rows}
    assert notes == {"MXFP4": "As published", "Q4_K_M": "Good, the usual choice"}
    add_model(hub, "acme/Other-GGUF", {"MXFP4": 4 * GB})
    [row] = deploy.plan(deploy.wished(model="acme/Other-GGUF"), room(64)).rows
    assert row.note == "Good"


@pytest.mark.usefixtures("big")
def test_never_below_q3_unless_a_person_chose_it() -> None:
    assert planned(2.6).quantization == "Q4_K_M"
    assert not planned(2.6).verdict.fits
    chosen = planned(3.2, quantization="Q2_K")
    assert chosen.quantization == "Q2_K"
    assert chosen.verdict.fits
    assert any("answers suffer" in warning for warning in chosen.warnings)


@pytest.mark.usefixtures("big")
def test_rows_are_all_quantizations_best_first_with_their_figures() -> None:
    rows = planned(64).rows
    assert [row.quantization for row in rows] == list(SIZES)
    assert [row.bytes for row in rows] == list(SIZES.values())
    assert all(row.need.total > row.bytes for row in rows)
    speeds = [row.tokens_per_second for row in rows]
    assert speeds == sorted(speeds)
    assert [row.is_poor for row in rows] == [False, False, False, True]


@pytest.mark.usefixtures("big")
def test_a_context_asked_for_is_kept_and_one_that_was_not_shrinks_to_fit() -> None:
    assert planned(64, context=1_024).context == 1_024
    tight = planned(4.6, quantization="Q4_K_M")
    assert tight.verdict.fits


@pytest.mark.usefixtures("big")
def test_more_context_than_trained_is_not_used_and_said() -> None:
    found = planned(64, context=1_000_000)
    assert found.context == found.context_trained
    assert any("trained" in warning for warning in found.warnings)


@pytest.mark.usefixtures("big")
@pytest.mark.parametrize("share", [0.5, 0.79])
def test_comfortable_needs_no_consent(share: float) -> None:
    need = planned(64, quantization="Q4_K_M", context=512).need.total
    found = planned(need / share / 2**30, quantization="Q4_K_M", context=512)
    require_room(found, accept_danger=False)


@pytest.mark.usefixtures("big")
@pytest.mark.parametrize("share", [0.82, 0.94])
def test_a_tight_fit_needs_consent(share: float) -> None:
    need = planned(64, quantization="Q4_K_M", context=512).need.total
    found = planned(need / share / 2**30, quantization="Q4_K_M", context=512)
    error = expect_failure("does_not_fit", lambda: require_room(found, accept_danger=False))
    assert "--accept-danger" in error.fix
    assert "Nearest: " in error.fix
    require_room(found, accept_danger=True)


@pytest.mark.usefixtures("big")
def test_the_nearest_choice_is_one_that_is_accepted() -> None:
    found = planned(6, quantization="Q4_K_M", context=131_072)
    with pytest.raises(DoesNotFit) as caught:
        require_room(found, accept_danger=False)
    [context] = re.findall(r"Nearest: Q4_K_M with context ([\d,]+)", caught.value.fix)
    less = planned(6, quantization="Q4_K_M", context=int(context.replace(",", "")))
    require_room(less, accept_danger=False)


@pytest.mark.usefixtures("big")
@pytest.mark.parametrize("share", [FULL + 0.01, 1.2, 30])
def test_too_much_is_refused_whatever_was_agreed_to(share: float) -> None:
    need = planned(64, quantization="Q4_K_M", context=512).need.total
    found = planned(need / share / 2**30, quantization="Q4_K_M", context=512)
    with pytest.raises(DoesNotFit) as caught:
        require_room(found, accept_danger=True)
    assert caught.value.fix


@pytest.mark.usefixtures("big")
def test_a_deployment_that_does_not_fit_never_becomes_a_job(home: Path) -> None:
    with pytest.raises(DoesNotFit):
        deploy.start(DeployRequest(model=BIG, quantization="Q8_0", slots=64, context=1_048_576))
    assert not (home / "jobs").exists()


def test_what_an_earlier_try_left_is_taken_off_the_disk_space(
    hub: HubApi, tmp_path: Path, home: Path
) -> None:
    [file] = add_tiny(hub, tmp_path, "Q4_K_M")
    before = deploy.plan(DeployRequest(model=REPOSITORY)).disk
    folder = home / "models" / REPOSITORY / hub.repositories[REPOSITORY]["sha"]
    folder.mkdir(parents=True)
    (folder / f"{file.name}.part").write_bytes(file.read_bytes()[:1000])
    after = deploy.plan(DeployRequest(model=REPOSITORY)).disk
    assert (before.kept, after.kept) == (0, 1000)
    assert before.needed == file.stat().st_size + RESERVE_BYTES
    assert after.needed == before.needed - 1000
    (folder / file.name).write_bytes(file.read_bytes())
    assert deploy.plan(DeployRequest(model=REPOSITORY)).disk.needed == 0


def test_a_disk_that_is_too_small_names_what_could_go(hub: HubApi, home: Path) -> None:
    add_model(hub, BIG, {"Q4_K_M": 10**17})
    write_tiny(home / "models" / "old.gguf")
    found = planned(10**9)
    assert found.disk.is_short
    assert [one.name for one in found.removable] == ["old"]
    with pytest.raises(NoSpace) as caught:
        require_disk(found)
    assert "old" in caught.value.fix


def test_the_engines_own_plan_stands_beside_ours(
    hub: HubApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tiny(hub, tmp_path)
    request = DeployRequest(model=REPOSITORY)
    assert deploy.plan(request).engine_plan is None
    theirs = deploy.plan(request, ask_engine=True).engine_plan
    assert theirs is not None
    assert theirs.total > 0
    monkeypatch.setattr(oracle, "TIMEOUT_SECONDS", 0.0)
    assert deploy.plan(request, ask_engine=True).engine_plan is None


def test_a_model_without_a_chat_template_is_said_to_have_none(tmp_path: Path) -> None:
    [file] = write_tiny(tmp_path / "bare.gguf", template=None)
    found = deploy.plan(DeployRequest(model=str(file)))
    assert any("chat template" in warning for warning in found.warnings)


def test_a_file_is_planned_where_it_is(tmp_path: Path) -> None:
    [file] = write_tiny(tmp_path / "mine-Q5_K_M.gguf")
    found = deploy.plan(DeployRequest(model=str(file)), ask_engine=True)
    assert (found.tier, found.repository, found.disk.needed) == (Tier.FILE, "", 0)
    assert found.files[0].path == str(file)
    assert found.engine_plan is not None


@pytest.mark.parametrize("name", ["Llama-3.2-1B-pure", "GLM-4.5-Air", "Gemma-3-270M"])
def test_the_plan_shows_the_need_that_is_held_against_the_engine(name: str, tmp_path: Path) -> None:
    """Tied and repacked, with a layer that only drafts, and with a window."""
    path = blueprint_file(name, tmp_path)
    plan = deploy.plan(deploy.wished(model=str(path)), room(200))
    load = Load(context=plan.context, prompt_cache_bytes=plan.need.prompt_cache)
    assert plan.need == need(geometry(read_file(path)), load)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    file = write_truncated(tmp_path / "cut.gguf")
    expect_failure("broken_file", lambda: deploy.plan(DeployRequest(model=str(file))))


def test_the_fit_command_takes_a_repository(
    hub: HubApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_tiny(hub, tmp_path)
    assert main(["fit", REPOSITORY, "--context", "512"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("Q8_0: Fits. Needs about ")
    assert "Q4_K_M" in shown
    assert main(["fit", REPOSITORY, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["quantization"] for row in told["rows"]] == ["Q8_0", "Q4_K_M"]
    assert main(["fit", "acme/None"]) == 4
    assert main(["fit", REPOSITORY, "--context", "5"]) == 2
    add_model(hub, BIG, {"Q4_K_M": 10**15})
    assert main(["fit", BIG]) == 3


def test_a_model_that_runs_is_not_in_its_own_way(hub: HubApi, tmp_path: Path, home: Path) -> None:
    [file] = add_tiny(hub, tmp_path, "Q4_K_M")
    place = home / "models" / REPOSITORY / "0123abc" / file.name
    place.parent.mkdir(parents=True)
    place.write_bytes(file.read_bytes())
    request = DeployRequest(model=REPOSITORY)
    before = deploy.plan(request, room(1))
    ENGINE.start("Tiny-Q4_K_M", StartOptions())
    try:
        held = deploy.plan(request, room(1)).room.free_bytes - before.room.free_bytes
    finally:
        stop_engines()
    assert 0 < held < 2**30


def test_without_a_template_it_is_told_how_to_give_one(tmp_path: Path) -> None:
    [file] = write_tiny(tmp_path / "there" / "Base-F32.gguf", template=None)
    [told] = deploy.plan(deploy.wished(model=str(file))).warnings
    assert told.startswith("It has no chat template, so it can only continue a text.")
    assert told.endswith("as Base-F32.jinja.")
    given = file.with_suffix(".jinja")
    given.write_text(CHATML)
    [told] = deploy.plan(deploy.wished(model=str(file))).warnings
    assert told == f"It has no chat template of its own: {given} is used."

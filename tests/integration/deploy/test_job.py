"""Deployments as jobs: what survives whom, pausing, and why one failed."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from lib import deploy
from lib.core import locks
from lib.core.errors import BadInput
from lib.core.files import read_json
from lib.deploy import DeployRequest, diagnosis
from lib.deploy.diagnosis import Action
from lib.engines import find_model
from lib.engines.base import State
from lib.jobs import jobs
from lib.jobs.jobs import Job, JobState
from lib.processes.group import ProcessGroup
from tests.support.berth import stop_engines
from tests.support.deployment import REPOSITORY, add_tiny
from tests.support.fake_hub import Manner
from tests.support.hub_api import OWNER, HubApi
from tests.support.server import running_server
from tests.support.waiting import members, until

SLOW = Manner(bytes_per_second=200_000)
REQUEST = DeployRequest(model=REPOSITORY, quantization="Q4_K_M")


@pytest.fixture(autouse=True)
def own_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No Ollama; short patience; nothing is left running."""
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    monkeypatch.setenv("BERTH_STALL_SECONDS", "0.5")
    monkeypatch.setenv("BERTH_RETRIES", "0")
    yield
    for job in jobs.running():
        job.cancel()
    stop_engines()


def ended(job: Job) -> Job:
    until(lambda: not jobs.find(job.id).is_active)
    return jobs.find(job.id)


def downloading(job: Job) -> Job:
    """The job, as soon as some of the file is there."""
    until(lambda: jobs.find(job.id).progress().phase == "download")
    until(lambda: any(p.stat().st_size > 50_000 for p in parts()))
    return jobs.find(job.id)


def parts() -> list[Path]:
    return list(Path(os.environ["BERTH_HOME"]).rglob("*.part"))


def group_of(job: Job) -> int:
    return ProcessGroup.model_validate(read_json(job.folder / "runner")).pid


def test_a_deployment_runs_to_its_end_and_the_model_answers(hub: HubApi, tmp_path: Path) -> None:
    add_tiny(hub, tmp_path, "Q4_K_M")
    job = ended(deploy.start(REQUEST))
    assert job.state == JobState.SUCCEEDED, job.log_tail()
    assert find_model("Tiny-Q4_K_M").state == State.READY
    assert diagnosis.diagnose(job) is None
    assert [phase for phase, _ in job.progress().phases] == [
        "detect",
        "plan",
        "engine",
        "download",
        "start",
        "test",
    ]


def test_asked_for_twice_it_is_one_job(hub: HubApi, tmp_path: Path) -> None:
    add_tiny(hub, tmp_path, "Q4_K_M", manner=SLOW)
    assert deploy.start(REQUEST).id == deploy.start(REQUEST).id


def test_a_token_reaches_the_job_and_stays_out_of_its_folder(
    hub: HubApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_tiny(hub, tmp_path, "Q4_K_M", changes={"gated": "auto"})
    monkeypatch.setenv("HF_TOKEN", OWNER)
    job = ended(deploy.start(REQUEST))
    assert job.state == JobState.SUCCEEDED, job.log_tail()
    written = b"".join(p.read_bytes() for p in job.folder.rglob("*") if p.is_file())
    assert OWNER.encode() not in written


def test_cancel_leaves_no_process_and_no_lock(hub: HubApi, tmp_path: Path) -> None:
    add_tiny(hub, tmp_path, "Q4_K_M", manner=SLOW)
    job = downloading(deploy.start(REQUEST))
    group = group_of(job)
    job.cancel()
    job = jobs.find(job.id)
    assert (job.state, job.exit_code) == (JobState.CANCELLED, 130)
    assert not job.is_paused
    assert members(group) == []
    assert not locks.is_held(job.folder / "alive")
    assert not any(locks.is_held(part) for part in parts())
    assert job.last_line().startswith("Cancelled.")


def test_paused_it_keeps_its_parts_and_goes_on_from_there(hub: HubApi, tmp_path: Path) -> None:
    add_tiny(hub, tmp_path, "Q4_K_M", manner=SLOW)
    job = downloading(deploy.start(REQUEST))
    job.pause()
    assert jobs.find(job.id).is_paused
    [part] = parts()
    kept = part.stat().st_size
    add_tiny(hub, tmp_path, "Q4_K_M")
    again = ended(deploy.retry(jobs.find(job.id)))
    assert again.state == JobState.SUCCEEDED, again.log_tail()
    assert not again.is_paused
    assert f"bytes={kept}-" in [r.headers.get("Range") for r in hub.requests]


def test_a_deployment_that_is_over_cannot_be_paused(hub: HubApi, tmp_path: Path) -> None:
    add_tiny(hub, tmp_path, "Q4_K_M")
    job = ended(deploy.start(REQUEST))
    job.pause()
    assert jobs.find(job.id).state == JobState.SUCCEEDED


def test_only_deployments_are_repeated() -> None:
    job = ended(jobs.start(["true"], title="Other", kind="other"))
    with pytest.raises(BadInput):
        deploy.retry(job)


def test_it_outlives_the_dashboard_that_started_it(hub: HubApi, tmp_path: Path, home: Path) -> None:
    add_tiny(hub, tmp_path, "Q4_K_M", manner=SLOW)
    world = {"HF_ENDPOINT": hub.url, "OLLAMA_HOST": "127.0.0.1:9"}
    with running_server(home, world) as server:
        body = {"model": REPOSITORY, "quantization": "Q4_K_M"}
        answer = httpx.post(f"{server.url}/api/deploy", json=body, timeout=30)
        assert answer.status_code == 202
        job = downloading(jobs.find(answer.json()["id"]))
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
    job = ended(job)
    assert job.state == JobState.SUCCEEDED, job.log_tail()


def test_without_its_runner_it_goes_on_and_its_outcome_is_known(
    hub: HubApi, tmp_path: Path
) -> None:
    add_tiny(hub, tmp_path, "Q4_K_M", manner=SLOW)
    job = downloading(deploy.start(REQUEST))
    os.kill(group_of(job), signal.SIGKILL)
    assert jobs.find(job.id).is_active
    job = ended(job)
    assert (job.state, job.exit_code) == (JobState.SUCCEEDED, 0)


def test_a_script_that_is_killed_is_failed_and_can_be_repeated(hub: HubApi, tmp_path: Path) -> None:
    add_tiny(hub, tmp_path, "Q4_K_M", manner=SLOW)
    job = downloading(deploy.start(REQUEST))
    group = group_of(job)
    for pid in members(group):
        if pid != group:
            os.kill(pid, signal.SIGKILL)
    job = ended(job)
    assert (job.state, job.exit_code) == (JobState.FAILED, 137)
    found = diagnosis.diagnose(job)
    assert found is not None
    assert "killed" in found.cause
    until(lambda: not any(locks.is_held(part) for part in parts()))
    add_tiny(hub, tmp_path, "Q4_K_M")
    assert ended(deploy.retry(job)).state == JobState.SUCCEEDED


def test_killed_altogether_it_is_lost_and_can_be_repeated(hub: HubApi, tmp_path: Path) -> None:
    add_tiny(hub, tmp_path, "Q4_K_M", manner=SLOW)
    job = downloading(deploy.start(REQUEST))
    os.killpg(group_of(job), signal.SIGKILL)
    job = ended(job)
    assert job.state == JobState.LOST
    found = diagnosis.diagnose(job)
    assert found is not None
    assert found.action == Action.RETRY
    add_tiny(hub, tmp_path, "Q4_K_M")
    assert ended(deploy.retry(job)).state == JobState.SUCCEEDED


def test_cancelled_while_the_model_loads_nothing_runs(hub: HubApi, tmp_path: Path) -> None:
    add_tiny(hub, tmp_path, "Q4_K_M")
    job = deploy.start(REQUEST)
    until(lambda: jobs.find(job.id).progress().phase in ("start", "test"))
    job.cancel()
    state = jobs.find(job.id).state
    assert state in (JobState.CANCELLED, JobState.SUCCEEDED)
    if state == JobState.CANCELLED and jobs.find(job.id).progress().phase == "start":
        assert find_model("Tiny-Q4_K_M").state == State.STOPPED

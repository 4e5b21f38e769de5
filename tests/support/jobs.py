"""Small jobs of bash, and waiting for what becomes of them."""

import os
import signal

from lib.jobs import jobs
from lib.jobs.jobs import Job
from lib.processes.group import ProcessGroup
from tests.support.waiting import until


def bash(script: str, resource: str = "") -> Job:
    """Start a job that runs these lines."""
    return jobs.start(["bash", "-c", script], title="A test", kind="test", resource=resource)


def ended(job: Job) -> Job:
    """The job after its end."""
    until(lambda: not jobs.find(job.id).is_active, "the end of the job")
    return jobs.find(job.id)


def begun(job: Job, words: str = "begun") -> Job:
    """The job as soon as it has said this."""
    until(lambda: words in jobs.find(job.id).log_tail(), f"“{words}” in the log")
    return jobs.find(job.id)


def group(job: Job) -> ProcessGroup:
    """The processes of the job, its runner first."""
    return ProcessGroup.model_validate_json((job.folder / "runner").read_text())


def kill_runner(job: Job) -> None:
    """Kill the runner alone."""
    os.kill(group(job).pid, signal.SIGKILL)
    until(lambda: not group(job).has_leader, "the end of the runner")

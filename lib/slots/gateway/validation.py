"""LiteLLM's own word on a change of its settings, asked before anything is changed.

It ends with 0 for a misspelt section too ("config OK (0 models)"), so the number of models that it
found counts; a setting that it does not know it only mentions.
"""

import os
import pwd
import re
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from lib.core.errors import EngineError
from lib.core.names import shown
from lib.core.values import Frozen
from lib.engines.vllm.places import SYSTEM_USER, Places
from lib.processes.command import TIMED_OUT, Done, run
from lib.slots.gateway import files
from lib.slots.gateway.litellm import MASTER_KEY, quiet_environment

CHECK_SECONDS = 180.0
_FOUND = re.compile(r"config OK \((\d+) models?\)")
_UNKNOWN = re.compile(r"Key '([^']+)' is not a valid argument")


class Verdict(Frozen):
    """LiteLLM took it."""

    models: int
    seconds: float
    unknown: tuple[str, ...]  # settings that it does not know, and passes over


def check(
    program: Path, config: str, include: str, places: Places, variables: Sequence[str] = ()
) -> Verdict:
    """Have LiteLLM read both texts in a folder of their own; EngineError in its words.

    `variables` are those that the texts name: each gets a value, so that no secret is needed.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="berth-litellm-") as name:
        folder = Path(name)
        _copy_others(files.folder(places), folder)
        (folder / "config.yaml").write_text(config, encoding="utf-8")
        (folder / "berth.yaml").write_text(include, encoding="utf-8")
        who = _given_to_user(folder)
        command = [*who, str(program / "bin/litellm"), "--config", str(folder / "config.yaml")]
        done = run(
            [*command, "--validate_config"],
            environment=_world(folder, variables),
            seconds=CHECK_SECONDS,
        )
    return _verdict(done, time.monotonic() - began, include)


def _verdict(done: Done, seconds: float, include: str) -> Verdict:
    said = f"{done.stdout}\n{done.stderr}"
    found = _FOUND.search(said)
    if not done.is_good or not found:
        raise EngineError(
            f"LiteLLM does not take its settings: {_reason(done)}.",
            "Nothing was changed. Correct config.yaml in /etc/berth/litellm, then try again.",
        )
    models, ours = int(found[1]), include.count('{"model_name"')
    if models < ours:
        raise EngineError(
            f"LiteLLM would know {models} of the {ours} models that Berth deployed.",
            "Let config.yaml in /etc/berth/litellm include berth.yaml, then try again.",
        )
    return Verdict(models=models, seconds=seconds, unknown=tuple(_UNKNOWN.findall(said)))


def _reason(done: Done) -> str:
    if done.code == TIMED_OUT:
        return "it did not come to an end"
    lines = [line for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
    telling = [line for line in lines if "validation failed" in line] or lines[-1:]
    text = telling[0].partition("validation failed:")[2] if telling else ""
    return shown((text or (telling or [f"exit code {done.code}"])[0]).strip(), 300).rstrip(".")


def _copy_others(source: Path, folder: Path) -> None:
    """The user's own files beside it, which config.yaml may include too."""
    for path in source.iterdir() if source.is_dir() else ():
        if path.is_file():
            shutil.copyfile(path, folder / path.name)


def _given_to_user(folder: Path) -> list[str]:
    """How to run it as the account that it serves as: a user's settings may name program code."""
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        return []
    if os.geteuid() != 0:
        return []
    for path in (folder, *folder.iterdir()):
        os.chown(path, entry.pw_uid, entry.pw_gid)
    return ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]


def _world(folder: Path, variables: Sequence[str]) -> Mapping[str, str]:
    stand_ins = dict.fromkeys((MASTER_KEY, *variables), "a-stand-in-for-the-check")
    home = {"HOME": str(folder), "XDG_CACHE_HOME": str(folder), "PATH": os.defpath, "LC_ALL": "C"}
    return {**home, **quiet_environment(), "LITELLM_LOG": "WARNING", **stand_ins}

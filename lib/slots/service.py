"""The slot's service: its system user, its key, its unit file, and systemd's own word on that."""

import pwd
import re
import secrets
import tempfile
from pathlib import Path

from pydantic import SecretStr

from lib.core.errors import EngineError
from lib.core.names import shown
from lib.engines.vllm.places import SYSTEM_USER, Places, port
from lib.jobs.report import Report
from lib.processes.command import run
from lib.slots.change import Doer, world
from lib.slots.engine_settings import engine_settings
from lib.slots.journal import put
from lib.slots.plan import SlotPlan, wanted_text
from lib.slots.probe import Engine
from lib.slots.steps import Command, WantedFile
from lib.slots.unit_text import LOOPBACK, PREPARATION, preparation_text

KEY_NAME = "VLLM_API_KEY"
KEY_BYTES = 32
VERIFY_SECONDS = 60.0
MAKE_USER = (
    *("useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"),
    *("--shell", "/usr/sbin/nologin", "--comment", "Berth's engines", SYSTEM_USER),
)
RELOAD = ("systemctl", "daemon-reload")
_KEY = re.compile(rf"^{KEY_NAME}=([A-Za-z0-9_-]{{16,200}})$", re.MULTILINE)


def write(plan: SlotPlan, places: Places, doer: Doer, report: Report) -> bool:
    """Everything that the service consists of; was anything different from what is there?"""
    report.begin("service", f"Writing the service {plan.unit}.")
    text = wanted_text(plan, engine_settings(places), places)
    is_here = plan.program.is_there and places.root == Path("/")
    verify(text, plan.unit, is_installed=is_here)
    made_user = make_user(doer, places)
    is_new = doer.do(
        WantedFile(
            path=places.env_file(plan.slot),
            text=f"{KEY_NAME}={key(plan.slot, places) or secrets.token_urlsafe(KEY_BYTES)}\n",
            mode=0o600,
            is_secret=True,
        )
    )
    changed = write_units(doer, places, {places.unit(plan.slot): text})
    report.end("" if made_user or is_new or changed else "Nothing differs.")
    return is_new or changed


def write_units(doer: Doer, places: Places, units: dict[Path, str]) -> bool:
    """Unit files, and systemd told of them, both ways."""
    wanted = {places.units / PREPARATION: preparation_text(), **units}
    files = [WantedFile(path=path, text=text) for path, text in wanted.items()]
    doer.do(Command(why="have systemd read the units again", undo=RELOAD))
    if not doer.do(*files):
        return False
    doer.do(Command(why="have systemd read the units", command=RELOAD))
    return True


def make_user(doer: Doer, places: Places) -> bool:
    """The account that engines run as: fixed, without a shell, a home or a password."""
    if has_user(places):
        return False
    undo = ("userdel", SYSTEM_USER)
    return doer.do(
        Command(why="make the engines' account", command=MAKE_USER, undo=undo),
        WantedFile(path=account_note(places), text=f"Berth has made the account {SYSTEM_USER}.\n"),
    )


def account_note(places: Places) -> Path:
    """Stands where the account is Berth's own, to be removed with the last slot."""
    return places.state(0).parent / "account"


def has_user(places: Places) -> bool:
    """Is the account there? Below another root, its note tells."""
    if places.root != Path("/"):
        return account_note(places).exists()
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        return False
    return True


def key(slot: int, places: Places) -> str:
    """The engine's key; "" where there is none yet, or it may not be read."""
    try:
        found = _KEY.search(places.env_file(slot).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return ""
    return found[1] if found else ""


def engine(slot: int, name: str, places: Places) -> Engine:
    """Where the slot's engine answers, with its key."""
    base_url = f"http://{LOOPBACK}:{port(slot)}"
    return Engine(base_url=base_url, name=name, key=SecretStr(key(slot, places)))


def rewrite(plan: SlotPlan, places: Places, doer: Doer) -> None:
    """The unit file anew, where an engine wants less than was planned."""
    text = wanted_text(plan, engine_settings(places), places)
    write_units(doer, places, {places.unit(plan.slot): text})


def verify(text: str, unit: str, *, is_installed: bool) -> None:
    """EngineError where systemd finds anything to say of the file.

    It ends with 0 for keys it does not know, so what it says counts, not how it ends. What it says
    of other services of this machine is not Berth's business.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / unit
        put(file, text.encode(), 0o644)
        command = ["systemd-analyze", "--man=no", "verify", str(file)]
        done = run(command, environment=world(), seconds=VERIFY_SECONDS)
    lines = [line for line in done.stderr.splitlines() if unit in line]
    if not is_installed:
        lines = [line for line in lines if "is not executable" not in line]
    if lines:
        raise EngineError(
            f"systemd does not take the service: {shown(lines[0], 300)}",
            "Look into /etc/berth/engine.toml; without it, update Berth.",
        )

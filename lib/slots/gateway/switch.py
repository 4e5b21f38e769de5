"""The gateway brought in line with the slots: prepared, opened for a model, and taken away."""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lib.core.errors import BerthError
from lib.engines.vllm.places import Places
from lib.engines.vllm.units import Unit, read_units
from lib.jobs.report import Report
from lib.slots import installation, programs, service
from lib.slots.change import Change, Doer, Rehearsal
from lib.slots.gateway import (
    backends,
    elsewhere,
    files,
    litellm,
    litellm_here,
    nginx,
    nginx_here,
    validation,
)
from lib.slots.gateway.litellm import PORTS, LiteLLMService
from lib.slots.gateway.settings import gateway_settings
from lib.slots.hands import Hands
from lib.slots.installation import LITELLM
from lib.slots.journal import Journal
from lib.slots.steps import Command, Step, WantedFile

KEY_BYTES = 32
RELOAD = ("systemctl", "daemon-reload")


class Gateway(NamedTuple):
    """Which parts of it there shall be; those that are there already are kept in line as well."""

    places: Places
    with_litellm: bool
    with_nginx: bool

    @property
    def has_litellm(self) -> bool:
        """Is it wanted, or there?"""
        return self.with_litellm or files.unit(self.places, second=False).exists()

    @property
    def has_nginx(self) -> bool:
        """Is it wanted, or does it lead to us?"""
        return self.with_nginx or files.nginx_config(self.places).exists()

    @property
    def active(self) -> bool | None:
        """Which LiteLLM clients are led to, as `second`; None where there is none."""
        return files.is_second_active(self.places) if self.has_litellm else None


def prepare(gateway: Gateway, doer: Doer, report: Report) -> None:
    """Everything but the models: programs, keys, settings, services, nginx's list of addresses.

    No client is led anywhere new by this. What must come last on the way back is noted first.
    """
    places = gateway.places
    if gateway.has_nginx:
        if not nginx_here.is_installed():
            doer.do(*nginx_here.install_steps())
        doer.do(nginx_here.way_back())
    if gateway.has_litellm:
        _prepare_litellm(gateway, doer, report)
    if gateway.has_nginx:
        _lead(places, doer, gateway.active, read_units(places))


def open_models(gateway: Gateway, doer: Doer, report: Report) -> None:
    """Let clients have the models of all slots, as their services now are."""
    if gateway.has_litellm:
        _bring_up(gateway, doer, report, read_units(gateway.places))


def settle(gateway: Gateway, doer: Doer, report: Report) -> None:
    """When all is well: end the LiteLLM that was replaced."""
    if gateway.has_nginx and gateway.active is not None:
        litellm_here.end_other(gateway.places, doer, report, gateway.active)


def leave(places: Places, others: Sequence[Unit], hands: Hands, report: Report) -> None:
    """Take out what is not one of the `others`; with the last slot, everything."""
    gateway = Gateway(places, with_litellm=False, with_nginx=False)
    if not others:
        _take_away(gateway, hands, report)
        return
    if hands.is_rehearsal:
        _without(gateway, Rehearsal(report), report, others)
        return
    journal = Journal(places.root / "var/lib/berth/gateway")
    change = Change(journal, report)
    try:
        _without(gateway, change, report, others)
        journal.close()
    except BerthError as error:
        hands.problems += [str(error), *change.undo()]
    hands.folder(journal.folder)


def _without(gateway: Gateway, doer: Doer, report: Report, others: Sequence[Unit]) -> None:
    if gateway.has_nginx:
        doer.do(nginx_here.way_back())
    if gateway.has_litellm:
        _bring_up(gateway, doer, report, others)
    if gateway.has_nginx:
        _lead(gateway.places, doer, gateway.active, others)
        settle(gateway, doer, report)


def _bring_up(gateway: Gateway, doer: Doer, report: Report, units: Sequence[Unit]) -> None:
    """LiteLLM with these units' models, by the gentlest way that there is."""
    places, active = gateway.places, bool(gateway.active)
    changed = doer.do(*_model_files(places, units))
    is_running = litellm_here.runs(active)
    if not is_running:
        litellm_here.start(doer, active)
    elif not changed and litellm_here.is_current(places, active):
        return
    elif gateway.has_nginx:
        litellm_here.replace(
            doer, report, active, lambda second: _lead(places, doer, second, units)
        )
    else:
        litellm_here.restart(places, doer, report, active)


def _prepare_litellm(gateway: Gateway, doer: Doer, report: Report) -> None:
    places, other = gateway.places, not gateway.active
    program = programs.litellm(places)
    for sentence in programs.refused(LITELLM, places):
        report.note(f"  {sentence}")
    installation.install(LITELLM, program, places, doer, report)
    if files.unit(places, other).exists():
        # Whatever is started there from here on ends when this is taken back.
        stop = litellm_here.stop_soon(other)
        doer.do(Command(why=stop.why, undo=stop.command, seconds=stop.seconds))
    if not _is_settled(gateway):
        _check(program.folder, places, doer, report)
    doer.do(*_made_once(places))
    doer.do(Command(why="have systemd read the units again", undo=RELOAD))
    drain = litellm.DRAIN_SECONDS if gateway.has_nginx else litellm.RESTART_SECONDS
    if doer.do(*_units(program.folder, program.version, drain, places)):
        doer.do(Command(why="have systemd read the units", command=RELOAD))


def _is_settled(gateway: Gateway) -> bool:
    """Does it run with everything as it shall be?"""
    places, active = gateway.places, bool(gateway.active)
    wanted = _include_text(places, read_units(places))
    is_same = files.text(files.include(places)) == wanted
    return is_same and litellm_here.runs(active) and litellm_here.is_current(places, active)


def _check(program: Path, places: Places, doer: Doer, report: Report) -> None:
    """LiteLLM's own word on its user's settings with the models as they will be."""
    if isinstance(doer, Rehearsal):
        report.say(f"  would run: {program}/bin/litellm --config … --validate_config")
        return
    models = wanted_models(places, read_units(places))
    verdict = validation.check(
        places.root / program.relative_to("/") if _is_inside(places, program) else program,
        files.text(files.config(places)) or litellm.config_text(),
        litellm.include_text(backends.named(models)),
        places,
        [backend.key_variable for backend in models if backend.key_variable],
    )
    report.note(f"  LiteLLM takes its settings (asked for {verdict.seconds:.0f} s)")
    for sentence in elsewhere.look(_names(read_units(places))).left_out:
        report.note(f"  {sentence}")
    for name in verdict.unknown:
        report.note(f"  config.yaml sets {name}, which LiteLLM does not know and passes over")


def _is_inside(places: Places, program: Path) -> bool:
    return (places.root / program.relative_to("/")).exists()


def wanted_models(places: Places, units: Sequence[Unit]) -> list[backends.Backend]:
    """Those of the slots, those that the administrator added, and equal ones elsewhere."""
    there = elsewhere.look(_names(units)).backends
    return [*backends.of_slots(units), *gateway_settings(places).backends, *there]


def _names(units: Sequence[Unit]) -> frozenset[str]:
    return frozenset(unit.served_name.rpartition("/")[2] for unit in units)


def _include_text(places: Places, units: Sequence[Unit]) -> str:
    return litellm.include_text(backends.named(wanted_models(places, units)))


def _made_once(places: Places) -> list[Step]:
    """What is its user's from then on; and a first list, without models."""
    key = files.master_key(places) or f"berth-{secrets.token_urlsafe(KEY_BYTES)}"
    secret = WantedFile(
        path=files.env_file(places),
        text=litellm.master_key_text(key),
        mode=0o600,
        is_secret=True,
        is_users=True,
    )
    config = WantedFile(path=files.config(places), text=litellm.config_text(), is_users=True)
    empty = WantedFile(path=files.include(places), text=litellm.include_text([]))
    return [config, secret, *([] if empty.path.exists() else [empty])]


def _units(folder: Path, version: str, drain_seconds: int, places: Places) -> list[WantedFile]:
    both = [
        LiteLLMService(program=folder, version=version, second=n, drain_seconds=drain_seconds)
        for n in (False, True)
    ]
    return [
        WantedFile(path=files.unit(places, one.second), text=litellm.unit_text(one)) for one in both
    ]


def _model_files(places: Places, units: Sequence[Unit]) -> list[WantedFile]:
    own = {backends.slot_variable(unit.slot): service.key(unit.slot, places) for unit in units}
    return [
        WantedFile(path=files.include(places), text=_include_text(places, units)),
        WantedFile(
            path=files.slots_env_file(places),
            text=litellm.keys_text({**own, **elsewhere.look(_names(units)).keys}),
            mode=0o600,
            is_secret=True,
        ),
    ]


def _lead(places: Places, doer: Doer, second: bool | None, units: Sequence[Unit]) -> None:
    """nginx to the slots, and to this LiteLLM; None: to none."""
    front = gateway_settings(places).front
    slots = [unit.slot for unit in units]
    text = nginx.config_text(front, slots, None if second is None else PORTS[second])
    if files.text(files.nginx_config(places)) != text or not nginx_here.is_running():
        doer.do(*nginx_here.write_steps(text, places, front))


def _take_away(gateway: Gateway, hands: Hands, report: Report) -> None:
    """All of it; what its user changed is kept, and said."""
    places = gateway.places
    if files.nginx_config(places).exists():
        hands.file(files.nginx_config(places))
        hands.run(*nginx_here.command(places), "-t")
        hands.run("systemctl", "try-reload-or-restart", nginx_here.SERVICE)
    for second in (False, True):
        if files.unit(places, second).exists():
            _end_now(places, second, hands, report)
    hands.file(files.include(places))
    hands.file(files.slots_env_file(places))
    _remove_unchanged(places, hands, report)
    hands.empty(files.folder(places))


def _end_now(places: Places, second: bool, hands: Hands, report: Report) -> None:
    unit = litellm.UNITS[second]
    if litellm_here.runs(second):
        running = litellm_here.requests_running(places, second)
        if running:
            report.note(f"  requests that LiteLLM works on and that are cut: {running}")
        hands.run("systemctl", "kill", "--signal=SIGKILL", unit, may_fail=True)
    hands.run("systemctl", "disable", "--now", unit)
    hands.run("systemctl", "reset-failed", unit, may_fail=True)
    hands.file(files.unit(places, second))


def _remove_unchanged(places: Places, hands: Hands, report: Report) -> None:
    made = {
        files.config(places): litellm.config_text(),
        files.env_file(places): litellm.master_key_text(files.master_key(places)),
    }
    for path, text in made.items():
        if files.text(path) == text:
            hands.file(path)
        elif path.exists():
            report.say(f"  kept, because you changed it: {path}")

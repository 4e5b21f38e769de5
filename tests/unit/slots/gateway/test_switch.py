"""In which order the gateway is changed, with small programs that stand for the machine's."""

import time
from io import StringIO
from pathlib import Path

import pytest

from lib.core.errors import EngineError
from lib.engines.vllm.places import Places
from lib.jobs.report import Report
from lib.slots.change import is_there
from lib.slots.gateway import files, litellm, switch
from lib.slots.gateway.switch import Gateway
from lib.slots.hands import Hands
from lib.slots.steps import Command, GoneFile, Step, WantedFile

OK = 'echo "config OK ($(grep -c model_name "$(dirname "$2")/berth.yaml") models)"'
FIRST, SECOND = litellm.UNITS


class Machine:
    """A folder that stands for /, with a LiteLLM, an nginx and a systemd of shell scripts."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.places = Places(root=root)
        self.steps: list[Step] = []
        self.out = StringIO()
        self.report = Report(self.out)
        self.bin, self.states = root / "bin", root / "states"
        self.states.mkdir()
        folder = self.places.programs / "litellm-1.110.2"
        (folder / "lib/python3.12/site-packages/litellm-1.110.2.dist-info").mkdir(parents=True)
        self.litellm(OK)
        include = "include /etc/nginx/conf.d/*.conf;"
        self._put(self.bin / "nginx", f"echo '{include}'; echo 'nginx version: nginx/1.22.1' >&2")
        show = f'cat {self.states}/"$2" 2>/dev/null || echo ActiveState=inactive'
        self._put(self.bin / "systemctl", f'if [ "$1" = show ]; then {show}; fi')
        monkeypatch.setenv("PATH", f"{self.bin}:/usr/bin:/bin")

    def litellm(self, script: str) -> None:
        """What LiteLLM does when it is asked about its settings."""
        self._put(self.places.programs / "litellm-1.110.2/bin/litellm", script)

    def runs(self, unit: str) -> None:
        """The unit is active, begun after all files of now."""
        began = int((time.monotonic() + 5) * 1e6)
        text = f"ActiveState=active\nExecMainStartTimestampMonotonic={began}\nNRestarts=0\n"
        (self.states / unit).write_text(text)

    def slot(self, slot: int, name: str) -> None:
        """A service with our mark."""
        self.places.units.mkdir(parents=True, exist_ok=True)
        mark = f"[X-Berth]\nSlot={slot}\nModel=acme/{name}\nServedName={name}\n"
        self.places.unit(slot).write_text(mark)
        self.places.env_file(slot).parent.mkdir(parents=True, exist_ok=True)
        self.places.env_file(slot).write_text(f"VLLM_API_KEY={'k' * 20}{slot}\n")

    def do(self, *steps: Step) -> bool:
        """Files are written, nothing is run."""
        changed = False
        for step in steps:
            if isinstance(step, WantedFile):
                if is_there(step):
                    continue
                step.path.parent.mkdir(parents=True, exist_ok=True)
                step.path.write_text(step.text)
                step.path.chmod(step.mode)
            elif isinstance(step, GoneFile):
                step.path.unlink()
            self.steps.append(step)
            changed = True
        return changed

    def deploy(self, *, nginx: bool = True, litellm: bool = True) -> list[str]:
        """Prepared and opened: what was done, in order, with the root left away."""
        self.steps = []
        gateway = Gateway(self.places, with_litellm=litellm, with_nginx=nginx)
        switch.prepare(gateway, self, self.report)
        switch.open_models(gateway, self, self.report)
        return self.done()

    def done(self) -> list[str]:
        return [self._said(step) for step in self.steps]

    def _said(self, step: Step) -> str:
        if isinstance(step, Command) and not step.command:
            return f"(back: {' '.join(step.undo)})"
        if isinstance(step, Command) and step.command[0] == "nginx":
            return "nginx -t"
        return step.sentence.replace(str(self.places.root), "").partition(" (")[0]

    def _put(self, path: Path, script: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_the_first_deployment_writes_checks_and_starts(machine: Machine) -> None:
    machine.slot(0, "anvil")
    assert machine.deploy() == [
        "(back: systemctl try-reload-or-restart nginx.service)",
        "write /etc/berth/litellm/config.yaml",
        "write /etc/berth/litellm.env",
        "write /etc/berth/litellm/berth.yaml",
        "(back: systemctl daemon-reload)",
        "write /etc/systemd/system/berth-litellm.service",
        "write /etc/systemd/system/berth-litellm-second.service",
        "systemctl daemon-reload",
        "write /etc/nginx/conf.d/berth.conf",
        "nginx -t",
        "systemctl reload nginx.service",
        "wait until http://127.0.0.1:8100/health answers, at most 15 s",
        "write /etc/berth/litellm/berth.yaml",
        "write /etc/berth/litellm-slots.env",
        f"systemctl enable --now {FIRST}",
        "wait until http://127.0.0.1:4000/health/liveliness answers, at most 180 s",
    ]


def test_clients_learn_of_a_model_only_when_it_is_opened(machine: Machine) -> None:
    machine.slot(0, "anvil")
    gateway = Gateway(machine.places, with_litellm=True, with_nginx=True)
    switch.prepare(gateway, machine, machine.report)
    assert "anvil" not in files.text(files.include(machine.places))
    switch.open_models(gateway, machine, machine.report)
    assert "anvil" in files.text(files.include(machine.places))


def test_a_further_model_is_led_to_before_the_old_one_ends(machine: Machine) -> None:
    machine.slot(0, "anvil")
    machine.deploy()
    machine.runs(FIRST)
    machine.slot(1, "bellows")
    done = machine.deploy()
    assert done[0] == "(back: systemctl try-reload-or-restart nginx.service)"
    assert done[1] == f"(back: systemctl stop --no-block {SECOND})"
    assert done[-9:] == [
        "write /etc/berth/litellm-slots.env",
        f"systemctl start {SECOND}",
        "wait until http://127.0.0.1:4001/health/liveliness answers, at most 180 s",
        f"systemctl enable {SECOND}",
        "write /etc/nginx/conf.d/berth.conf",
        "nginx -t",
        "systemctl reload nginx.service",
        "wait until http://127.0.0.1:8100/health answers, at most 15 s",
        f"systemctl disable {FIRST}",
    ]
    assert f"systemctl stop {FIRST}" not in done
    assert files.is_second_active(machine.places)


def test_the_replaced_one_ends_when_all_is_well(machine: Machine) -> None:
    machine.slot(0, "anvil")
    machine.deploy()
    machine.runs(FIRST)
    machine.slot(1, "bellows")
    machine.deploy()
    machine.runs(SECOND)
    machine.steps = []
    gateway = Gateway(machine.places, with_litellm=True, with_nginx=True)
    switch.settle(gateway, machine, machine.report)
    assert machine.done() == [f"systemctl stop --no-block {FIRST}"]


def test_a_second_run_changes_nothing(machine: Machine) -> None:
    machine.slot(0, "anvil")
    machine.deploy()
    machine.runs(FIRST)
    machine.litellm("exit 1")  # and does not ask LiteLLM again
    assert [line for line in machine.deploy() if not line.startswith("(back")] == []


def test_without_nginx_it_is_restarted_and_that_is_said(machine: Machine) -> None:
    machine.slot(0, "anvil")
    machine.deploy(nginx=False)
    machine.runs(FIRST)
    machine.slot(1, "bellows")
    done = machine.deploy(nginx=False)
    assert done[-2:] == [
        f"systemctl restart {FIRST}",
        "wait until http://127.0.0.1:4000/health/liveliness answers, at most 180 s",
    ]
    assert "LiteLLM is restarted" in machine.out.getvalue()
    assert "GRACEFUL_SHUTDOWN_TIMEOUT=30\n" in files.text(files.unit(machine.places, second=False))


def test_without_litellm_nginx_leads_to_the_slots_alone(machine: Machine) -> None:
    machine.slot(0, "anvil")
    done = machine.deploy(litellm=False)
    assert done[:2] == [
        "(back: systemctl try-reload-or-restart nginx.service)",
        "write /etc/nginx/conf.d/berth.conf",
    ]
    assert "berth_litellm" not in files.text(files.nginx_config(machine.places))


def test_what_litellm_does_not_take_is_said_before_anything_is_written(machine: Machine) -> None:
    machine.slot(0, "anvil")
    machine.litellm("echo 'LiteLLM: config validation failed: no such thing' >&2; exit 1")
    with pytest.raises(EngineError, match="does not take its settings: no such thing"):
        machine.deploy()
    assert not any(isinstance(step, WantedFile) for step in machine.steps)


def test_an_exit_code_of_0_without_our_models_is_not_believed(machine: Machine) -> None:
    machine.slot(0, "anvil")
    machine.litellm("echo 'config OK (0 models)'")
    with pytest.raises(EngineError, match="would know 0 of the 1 models"):
        machine.deploy()


def test_a_setting_that_litellm_does_not_know_is_mentioned(machine: Machine) -> None:
    machine.slot(0, "anvil")
    machine.litellm(f"echo \"Key 'cooldown_tme' is not a valid argument for Router\" >&2; {OK}")
    machine.deploy()
    assert "config.yaml sets cooldown_tme, which LiteLLM does not know" in machine.out.getvalue()


def test_the_settings_are_written_once_and_never_again(machine: Machine) -> None:
    machine.slot(0, "anvil")
    machine.deploy()
    config = files.config(machine.places)
    config.write_text(f"{config.read_text()}# mine\n")
    key = files.master_key(machine.places)
    machine.slot(1, "bellows")
    machine.deploy()
    assert config.read_text().endswith("# mine\n")
    assert files.master_key(machine.places) == key


def test_secrets_are_roots_alone_and_never_told(machine: Machine) -> None:
    machine.slot(0, "anvil")
    machine.deploy()
    places = machine.places
    for path in (files.env_file(places), files.slots_env_file(places)):
        assert path.stat().st_mode & 0o777 == 0o600
    assert files.master_key(places)
    assert files.master_key(places) not in machine.out.getvalue()
    written = [step for step in machine.steps if isinstance(step, WantedFile)]
    assert [step.path.name for step in written if step.is_secret] == [
        "litellm.env",
        "litellm-slots.env",
    ]


def leave(machine: Machine) -> str:
    hands = Hands(machine.report, is_rehearsal=False)
    switch.leave(machine.places, [], hands, machine.report)
    assert hands.problems == []
    return machine.out.getvalue()


def test_with_the_last_slot_nothing_of_ours_is_left(machine: Machine) -> None:
    machine.slot(0, "anvil")
    machine.deploy()
    leave(machine)
    places = machine.places
    assert not files.folder(places).exists()
    assert not files.nginx_config(places).exists()
    assert not list(places.units.glob("berth-litellm*"))
    assert not list(places.settings.glob("litellm*"))


def test_what_its_user_changed_is_kept_and_said(machine: Machine) -> None:
    machine.slot(0, "anvil")
    machine.deploy()
    config = files.config(machine.places)
    config.write_text(f"{config.read_text()}# mine\n")
    assert f"kept, because you changed it: {config}" in leave(machine)
    assert config.exists()

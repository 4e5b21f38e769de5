"""The gateway changed while it is used, and taken away.

Each test brings the gateway to where it begins; in this order that costs least, because LiteLLM
needs ten seconds and more for each change.
"""

import os

import pytest

from tests.support.gateway_box import GatewayBox, words
from tests.support.waiting import until

CONFIG = "/etc/berth/litellm/config.yaml"
OURS = (
    "/etc/berth/litellm/berth.yaml",
    "/etc/berth/litellm-slots.env",
    "/etc/nginx/conf.d/berth.conf",
    "/etc/systemd/system/berth-litellm.service",
    "/etc/systemd/system/berth-litellm-second.service",
)


def contents(machine: GatewayBox) -> dict[str, str]:
    return {name: machine.text(name) for name in OURS}


def main_pid(machine: GatewayBox, service: str) -> str:
    shown = machine.run("systemctl", "show", service, "--property=MainPID")
    return shown.stdout.strip()


def rest_of(machine: GatewayBox, lines: object, slot: int) -> list[str]:
    """What is left of a slow stream, sped up."""
    machine.behave(slot, gap_ms=0)
    return list(words(lines))  # type: ignore[arg-type]


def test_a_second_run_changes_nothing(served: GatewayBox) -> None:
    active = served.services()[served.is_second()]
    pid, before = main_pid(served, active), contents(served)
    said = served.steps("open")
    served.steps("settle")
    assert (main_pid(served, active), contents(served)) == (pid, before)
    assert "write" not in said
    assert "systemctl" not in said


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("include: [berth.yaml\n", "does not take its settings"),
        ("model_list: []\n", "would know 0 of the 1 models"),
    ],
    ids=["no YAML", "without our models"],
)
def test_settings_that_their_user_broke_are_said_and_nothing_is_touched(
    served: GatewayBox, broken: str, said: str
) -> None:
    good, before = served.text(CONFIG), contents(served)
    written = served.path(CONFIG).stat().st_mtime
    served.write(CONFIG, broken)
    try:
        output = served.steps("open", check=False)
        assert said in output
        assert (served.text(CONFIG), contents(served)) == (broken, before)
        assert served.ask("anvil", max_tokens=1).is_success
    finally:
        served.write(CONFIG, good)
        os.utime(served.path(CONFIG), (written, written))


def test_an_nginx_that_was_broken_before_is_said_and_not_touched(served: GatewayBox) -> None:
    path, before = "/etc/nginx/conf.d/theirs.conf", contents(served)
    served.write(path, "server { listen nowhere at all; }\n")
    try:
        said = served.steps("problems")
        assert "nginx's configuration was broken before Berth came" in said
        assert "theirs.conf" in said
        assert contents(served) == before
    finally:
        served.path(path).unlink()
    assert served.steps("problems") == ""


def test_the_master_key_is_in_one_file_of_roots_and_nowhere_else(served: GatewayBox) -> None:
    assert served.ask("anvil", max_tokens=1).is_success
    key, run = served.master_key(), served.run
    assert len(key) > 40
    assert run("stat", "--format=%a %U", "/etc/berth/litellm.env").stdout.strip() == "600 root"
    assert key not in run("ps", "axww").stdout
    for service in served.services():
        assert key not in run("systemctl", "show", service).stdout
        assert key not in run("systemctl", "cat", service).stdout
    assert key not in run("journalctl", "--no-pager").stdout
    assert key not in served.text("/var/log/nginx/access.log")
    assert key not in served.text("/var/log/nginx/error.log")
    found = run("grep", "-rlF", key, "/etc", "/var/lib", "/var/cache/berth", check=False)
    assert found.stdout.split() == ["/etc/berth/litellm.env"]


def test_systemd_finds_nothing_to_say_of_the_services(served: GatewayBox) -> None:
    for service in served.services():
        done = served.run("systemd-analyze", "verify", f"/etc/systemd/system/{service}")
        assert (done.stdout, done.stderr) == ("", "")


def test_what_is_taken_back_leaves_everything_as_it_was(served: GatewayBox) -> None:
    active = served.services()[served.is_second()]
    pid, before = main_pid(served, active), contents(served)
    served.behave(50, gap_ms=200, tokens=1_000)
    with served.stream("anvil") as lines:
        first = next(words(lines))
        served.engine(51, "bellows")
        said = served.steps("fail")
        assert "another LiteLLM takes over" in said
        text = [first, *rest_of(served, lines, 50)]
    assert text[-1] == "[DONE]"
    assert (main_pid(served, active), contents(served)) == (pid, before)
    assert served.ask("bellows").status_code == 400
    other = served.services()[not served.is_second()]
    until(lambda: served.state(other) == "inactive", "the end of the other one")


def test_a_new_model_comes_without_cutting_the_stream_of_another(served: GatewayBox) -> None:
    was_second = served.is_second()
    old, new = served.services()[was_second], served.services()[not was_second]
    served.behave(50, gap_ms=200, tokens=1_000)
    with served.stream("anvil") as lines:
        first = next(words(lines))
        served.engine(51, "bellows")
        served.steps("open")
        assert served.is_second() != was_second
        assert served.ask("bellows").is_success
        assert served.state(old) == "active"  # it may yet be needed again
        served.steps("settle")
        assert served.state(old) == "deactivating"  # it serves what it has begun
        assert served.ask("anvil", max_tokens=2).is_success
        text = [first, *rest_of(served, lines, 50)]
    assert text == [*(f"t{n}" for n in range(1_000)), "[DONE]"]
    until(lambda: served.state(old) == "inactive", "the end of the old one")
    enabled = [served.run("systemctl", "is-enabled", s, check=False) for s in (old, new)]
    assert [done.stdout.strip() for done in enabled] == ["disabled", "enabled"]


def test_a_model_that_leaves_is_gone_and_the_other_stays(machine: GatewayBox) -> None:
    machine.serve({50: "anvil", 51: "bellows"})
    machine.steps("leave", "--others", "50")
    assert machine.ask("anvil", max_tokens=1).is_success
    assert machine.ask("bellows").status_code == 400
    assert "slot-51" not in machine.text("/etc/nginx/conf.d/berth.conf")


def test_settings_that_their_user_changed_are_kept_and_used(served: GatewayBox) -> None:
    own = served.text(CONFIG) + "# mine\n"
    served.write(CONFIG, own)
    served.steps("open")
    served.settle()
    assert served.text(CONFIG) == own
    assert served.ask("anvil", max_tokens=1).is_success


def test_of_two_servers_one_may_die_and_callers_hardly_see_it(machine: GatewayBox) -> None:
    machine.serve({50: "anvil", 51: "anvil"})
    for slot in (50, 51):
        machine.behave(slot, gap_ms=0, tokens=3)
    assert {machine.ask("anvil").status_code for _ in range(10)} == {200}
    assert all(machine.ended(slot) for slot in (50, 51))
    machine.run("systemctl", "kill", "--signal=SIGKILL", machine.unit(51))
    machine.run("systemctl", "stop", machine.unit(51))
    statuses = [machine.ask("anvil").status_code for _ in range(30)]
    assert sorted(statuses)[:29] == [200] * 29
    assert statuses[-1] == 200


def test_with_the_last_model_everything_goes_but_what_its_user_changed(
    machine: GatewayBox,
) -> None:
    machine.serve({50: "anvil"})
    own = machine.text(CONFIG) + "# mine too\n"
    machine.write(CONFIG, own)
    said = machine.steps("leave")
    assert [name for name in OURS if machine.text(name)] == []
    assert machine.text("/etc/berth/litellm.env") == ""
    assert machine.text(CONFIG) == own
    assert f"kept, because you changed it: {CONFIG}" in said
    assert [machine.state(service) for service in machine.services()] == ["inactive"] * 2
    assert machine.state("nginx.service") == "active"
    machine.path(CONFIG).unlink()

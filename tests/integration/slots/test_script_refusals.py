"""What deploy_model.sh refuses, asks and says before it does anything."""

import os
import socket

import pytest

from lib.engines.vllm.places import port
from tests.support.deployment import last_line
from tests.support.slots import MODEL, PLAIN, SLOT, GpuServer


def test_a_busy_port_is_named_with_its_program(server: GpuServer) -> None:
    with socket.create_server(("127.0.0.1", port(SLOT))):
        done = server.deploy()
    assert done.returncode == 7
    assert f"Port {port(SLOT)} is used by" in last_line(done)
    assert f"(process {os.getpid()})" in last_line(done)


def test_without_linux_it_says_so(server: GpuServer) -> None:
    server.command("uname", "echo Darwin")
    done = server.deploy()
    assert done.returncode == 7
    assert "needs Linux, and this is Darwin." in done.stdout
    assert "./deploy_cpu.sh" in last_line(done)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Which model?"),
        ([MODEL], "Which slot?"),
        ([MODEL, "0", "1"], "One model and one slot at a time"),
        ([MODEL, "x"], "“x” is not a slot"),
        ([MODEL, "-1"], "“-1” is not a slot"),
        ([MODEL, "99"], "There is no slot 99"),
        ([MODEL, "64"], "There is no slot 64"),
        ([MODEL, "0", "--frobnicate"], "Unknown option: --frobnicate"),
        ([MODEL, "0", "--max-model-len"], "--max-model-len needs a value"),
        ([MODEL, "0", "--max-model-len", "many"], "“many” is not a context length"),
        ([MODEL, "0", "--max-model-len", "-5"], "“-5” is not a context length"),
        ([MODEL, "0", "--max-model-len", "32k"], "“32k” is not a context length"),
        ([MODEL, "0", "--served-name", "a b"], "“a b” is not a model name"),
        ([MODEL, "0", "--served-name", "--host=0.0.0.0"], "is not a model name"),
        ([MODEL, "0", "--tensor-parallel", "0"], "--tensor-parallel needs a number"),
        ([MODEL, "0", "--cards", "0"], "“0” is not the UUID of a card"),
        ([MODEL, "0", "--cards", "MIG-1234"], "a part of a divided card"),
        ([MODEL, "0", "--quantization", "awq"], "quantization:"),
        (["a/b; rm -rf ~", "0"], "is not a repository name"),
        (["../../etc", "0"], "is not a repository name"),
        (["--remove", "x"], "“x” is not a slot"),
        (["--remove", "99"], "There is no slot 99"),
        ([MODEL, "0", "--nodes", "2"], "2 nodes need 2 different addresses"),
        ([MODEL, "0", "--nodes", "2", "--addresses", "10.0.0.1,127.0.0.1"], "another machine"),
    ],
)
def test_bad_input_ends_with_2_and_says_what_is_wrong(
    server: GpuServer, arguments: list[str], said: str
) -> None:
    done = server.run(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stdout + done.stderr
    assert (server.told.parent / "exit_code.self").read_text() == "2\n"


def test_help_is_the_header(server: GpuServer) -> None:
    done = server.run("--help")
    assert done.returncode == 0
    assert "--dry-run" in done.stdout
    assert "Exit codes:" in done.stdout


def test_sourced_for_tests_it_does_nothing(server: GpuServer) -> None:
    done = server.call("type main >/dev/null && echo sourced")
    assert (done.returncode, done.stdout) == (0, "sourced\n")


def test_sudo_gets_no_secret_in_its_arguments(server: GpuServer) -> None:
    server.command("id", "echo 1000")
    server.command("sudo", 'echo "sudo $*"; echo "token: ${HF_TOKEN:+is there}"')
    done = server.call(
        'unset BERTH_SYSTEM_ROOT; DRY_RUN=""; as_root python -m lib.slots deploy',
        HF_TOKEN="hf_0123456789abcdef",
    )
    assert "sudo -n --preserve-env=BERTH_HOME," in done.stdout
    assert "python -m lib.slots deploy" in done.stdout
    assert "token: is there" in done.stdout
    assert "hf_0123456789abcdef" not in done.stdout


def test_under_sudo_the_callers_records_stay_the_callers(server: GpuServer) -> None:
    server.command("id", "echo 0")
    server.command("sudo", 'echo "sudo $*"')
    done = server.call(
        'PLAN=""; owner_of_home() { echo 1000; }; as_user echo looked', SUDO_UID="1000"
    )
    assert done.stdout.startswith("sudo -n -u #1000 --preserve-env=")
    done = server.call('PLAN=""; owner_of_home() { echo 0; }; as_user echo looked', SUDO_UID="1000")
    assert done.stdout == "looked\n"


def test_what_is_missing_is_not_installed_without_a_word(server: GpuServer) -> None:
    done = server.run(MODEL, str(SLOT), "--cards", server.card, "--without-nginx")
    assert done.returncode == 7
    assert "Not installed: LiteLLM" in done.stdout
    assert "--yes" in last_line(done)
    assert "--without-gateway" in last_line(done)
    assert server.snapshot() == {}


def test_on_a_terminal_it_asks_before_it_goes_on(server: GpuServer) -> None:
    words = [MODEL, str(SLOT), "--cards", server.card]
    code, shown = server.on_terminal([*words, *PLAIN], "n\n")
    assert code == 130
    assert "Go on? [Y/n]" in shown
    code, shown = server.on_terminal([*words, "--without-nginx"], "n\n")
    assert code == 7
    assert "Install LiteLLM" in shown
    code, shown = server.on_terminal(["--remove", str(SLOT)], "\n")
    assert code == 130
    assert "Remove the model, the service and all else of slot" in shown
    assert server.snapshot() == {}

"""deploy_model.sh --remove, run by a real bash on a GPU server in a folder."""

from lib.engines.vllm.places import unit_name
from lib.slots.installation import MARK
from tests.support.deployment import last_line
from tests.support.slots import SECOND_SLOT, SLOT, GpuServer

OTHER = "acme/Other-Instruct"


def test_remove_leaves_nothing(server: GpuServer) -> None:
    assert server.deploy().returncode == 0
    done = server.run("--remove", str(SLOT))
    assert done.returncode == 0, done.stdout
    assert last_line(done) == f"Slot {SLOT} is empty."
    assert server.snapshot() == {}
    left = [path for path in server.root.rglob("*") if path.is_file()]
    assert left == []
    assert server.systemd.state(unit_name(SLOT))["ActiveState"] == "inactive"


def test_remove_leaves_what_somebody_else_installed(server: GpuServer) -> None:
    foreign = server.places.programs / "vllm-0.33.1"
    server.install_vllm("0.33.1").joinpath(MARK).unlink()
    notes = server.places.programs / "notes.txt"
    notes.write_text("mine\n")
    broken_off = server.places.programs / ".litellm-1.110.2.part"
    broken_off.mkdir()
    assert server.deploy().returncode == 0
    assert f"{foreign.relative_to(server.root)}/bin/vllm" in server.unit()
    assert server.run("--remove", str(SLOT)).returncode == 0
    assert sorted(server.places.programs.iterdir()) == [notes, foreign]
    assert (foreign / "bin/vllm").exists()


def test_remove_of_one_slot_leaves_the_other_with_what_both_use(server: GpuServer) -> None:
    server.add_model(OTHER)
    assert server.deploy().returncode == 0
    assert server.deploy(OTHER, SECOND_SLOT).returncode == 0
    assert server.run("--remove", str(SLOT)).returncode == 0
    assert server.runs(SECOND_SLOT) == "Other-Instruct"
    assert sorted(server.snapshot()) == [
        f"berth/slot-{SECOND_SLOT}.env",
        "systemd/system/berth-nvidia.service",
        f"systemd/system/berth-slot-{SECOND_SLOT}.service",
    ]
    models = {path.parent.parent.name for path in server.places.models.rglob("config.json")}
    assert models == {"Other-Instruct"}


def test_remove_of_an_empty_slot_says_so(server: GpuServer) -> None:
    done = server.run("--remove", str(SECOND_SLOT))
    assert done.returncode == 0
    assert last_line(done) == f"There is nothing on slot {SECOND_SLOT}."


def test_a_foreign_service_of_the_same_name_is_left_alone(server: GpuServer) -> None:
    text = "[Service]\nExecStart=/bin/true\n"
    server.places.unit(SLOT).write_text(text)
    for done in (server.deploy(), server.run("--remove", str(SLOT))):
        assert done.returncode == 7
        assert "does not carry Berth's mark" in last_line(done)
    assert server.unit() == text

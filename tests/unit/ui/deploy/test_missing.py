"""A remedy in words, and the one command in it that can be copied."""

import pytest

from lib.ui.deploy.gpu.missing import divided


@pytest.mark.parametrize(
    ("fix", "before", "command"),
    [
        ("Run: sudo apt-get install gcc", "", "sudo apt-get install gcc"),
        (
            "Mend it. Run this in a terminal: sudo systemctl start berth-slot-0.service",
            "Mend it.",
            "sudo systemctl start berth-slot-0.service",
        ),
        ("Restart the machine.", "Restart the machine.", ""),
        (
            "Run: sudo mount -o remount,exec /var, and change /etc/fstab.",
            "Run: sudo mount -o remount,exec /var, and change /etc/fstab.",
            "",
        ),
        ("Run this on the server itself, not in a container.",) * 2 + ("",),
    ],
)
def test_a_command_stands_apart_where_it_is_all_that_is_to_be_done(
    fix: str, before: str, command: str
) -> None:
    assert divided(fix) == (before, command)

"""What is written into a unit file is what a real systemd starts, to the letter."""

import json
from pathlib import Path

from lib.core.unit_words import assigned, quoted
from tests.support.systemd_box import systemd_box

WORDS = [
    *("%n", "%%", "%", "$HOME", "${HOME}", "$$", "$", "a b", " ", "", "\\", "\\n", "\\x41"),
    *('"', "'", "\"'", ";", "#x", "[Unit]", '{"image":0,"video":0}', "-", "@x", ":x", "+x", "!x"),
    *("=", "~", "é 漢", "\u00a0", "*", "?", "&&", "|", "`id`", "$(id)", "--flag=%h"),
]
CODE = "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ['TOLD']]))"
TOLD = 'a "b" \\ %n $HOME ; # é'


def test_words_and_variables_arrive_as_they_were(tmp_path: Path) -> None:
    line = " ".join(map(quoted, ["/usr/bin/python3", "-c", CODE, *WORDS]))
    unit = (
        f"[Service]\nType=oneshot\n{assigned('TOLD', TOLD)}\nExecStart={line}\n"
        "StandardOutput=file:/run/told\n"
    )
    with systemd_box(tmp_path / "box") as box:
        box.write("/etc/systemd/system/words.service", unit)
        verified = box.run(
            "systemd-analyze", "--man=no", "verify", "/etc/systemd/system/words.service"
        )
        assert verified.stderr == ""
        box.run("systemctl", "daemon-reload", is_checked=True)
        started = box.run("systemctl", "start", "words.service")
        assert started.returncode == 0, box.run("journalctl", "-u", "words", "--no-pager").stdout
        assert json.loads(box.path("/run/told").read_text()) == [WORDS, TOLD]

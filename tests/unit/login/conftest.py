"""A user's home, and a systemctl that does what enabling and disabling do."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.core.access import Role, acting

SYSTEMCTL = """#!/bin/sh
echo "$@" >> "{log}"
[ -z "$REFUSES" ] || {{ echo "Failed to connect to bus." >&2; exit 1; }}
wants="$HOME/.config/systemd/user/default.target.wants"
case "$2" in
  enable) mkdir -p "$wants"; ln -sf "../$3" "$wants/$3" ;;
  disable) rm -f "$wants/$3" ;;
esac
"""


@pytest.fixture(autouse=True)
def account(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    programs, log = tmp_path / "bin", tmp_path / "systemctl.log"
    programs.mkdir()
    (programs / "systemctl").write_text(SYSTEMCTL.format(log=log))
    (programs / "systemctl").chmod(0o755)
    (tmp_path / "run/systemd/system").mkdir(parents=True)  # systemd has started this machine
    (tmp_path / "user").mkdir()
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("BERTH_SYSTEM_ROOT", str(tmp_path))  # where nobody lingers
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    with acting(Role.OWNER):
        yield tmp_path

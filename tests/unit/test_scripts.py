"""The shell scripts: clean in shellcheck, and nothing that only newer or GNU systems have."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

# macOS has bash 3.2 and BSD tools. Each pattern stands with a line that it has to find.
FORBIDDEN = {
    "associative arrays (bash 4)": (r"\b(declare|local|typeset) -\w*A", "declare -A seen"),
    "references (bash 4.3)": (r"\b(declare|local|typeset) -\w*n\b", "local -n list=$1"),
    "case change (bash 4)": (r"\$\{\w+(\[.\])?(,|\^)", 'echo "${name,,}"'),
    "transformation (bash 4.4)": (r"\$\{\w+(\[.\])?@[A-Za-z]\}", 'echo "${name@Q}"'),
    "negative length (bash 4.2)": (r"\$\{\w+:[^}]*:-\d", 'echo "${name:0:-1}"'),
    "index from the end (bash 4.3)": (r"\[-\d+\]\}", 'echo "${list[-1]}"'),
    "mapfile (bash 4)": (r"\b(mapfile|readarray)\b", "mapfile -t lines"),
    "test -v (bash 4.2)": (r"\[\[? -v ", "[[ -v name ]]"),
    "both streams (bash 4)": (r"&>>|\|&", "make |& tee log"),
    "fall through (bash 4)": (r";;?&(\s|$)", "  ;;&"),
    "coproc (bash 4)": (r"\bcoproc\b", "coproc cat"),
    "wait for any (bash 4.3)": (r"\bwait -n\b", "wait -n"),
    "shell options (bash 4)": (r"shopt .*(globstar|lastpipe|inherit_errexit)", "shopt -s globstar"),
    "time in printf (bash 4.2)": (r"printf .*%\(", "printf '%(%s)T' -1"),
    "step in braces (bash 4)": (r"\{\w+\.\.\w+\.\.\w+\}", "echo {1..9..2}"),
    "newer variables": (r"\$\{?(EPOCH|BASHPID|SRANDOM)", "echo $EPOCHSECONDS"),
    "fractions of a second": (r"\bread .*-t ?\d*\.", "read -t 0.1 answer"),
    "sed -i without suffix (GNU)": (r"\bsed -i ", "sed -i s/a/b/ file"),
    "sed -r (GNU)": (r"\bsed -\w*r", "sed -nr s/a/b/p"),
    "either-or in a basic sed (GNU)": (r"\bsed (?!-\w*E).*\\\|", r"sed 's/a\|b//'"),
    "grep -P (GNU)": (r"\bgrep -\w*P", r"grep -oP '\d+'"),
    "readlink -f, realpath (GNU)": (r"\breadlink -\w*f|\brealpath\b", "readlink -f link"),
    "stat -c (GNU)": (r"\bstat -\w*c", "stat -c %s file"),
    "date -d (GNU)": (r"\bdate (-d|--date|-I|.*%N)", "date -d yesterday"),
    "commands of Linux": (r"(^|[|&;(] *|\bif )(timeout|nproc|setsid|free|ss|ip|tac)\b", "nproc"),
    "sort -V, xargs -r (GNU)": (r"\bsort -\w*V|\bxargs -\w*[rd]", "sort -V"),
    "find -printf (GNU)": (r"\bfind .*-(printf|quit|regextype)", "find . -printf %f"),
    "mktemp's long options (GNU)": (r"\bmktemp --", "mktemp --suffix=.x"),
    # Under pipefail, whoever writes more than the pipe holds ends with 141 when its reader leaves.
    "a reader that leaves early": (
        r"\|\s*(?:LC_ALL=C\s+)?"
        r"(?:head\b|grep\s+-\w*[qm]|read\b|sed\b[^|]*[;{ '\d]q\b|awk\b[^|]*\bexit)",
        "sed -n 's/a//p' /proc/cpuinfo | head -n 1",
    ),
    "cd that CDPATH leads astray": (
        r'(?<!CDPATH="" )\bcd (-- )?"\$\(dirname',
        'cd "$(dirname "$0")"',
    ),
    "head without the end (GNU)": (r"\bhead -(n ?-|c ?-)", "head -n -1"),
    "long options of coreutils (GNU)": (
        r"\b(cp|mv|rm|ls|df|du|cut|tail|head|sort|wc|ln|mkdir|chmod) (-\w+ )*--\w",
        "df --output=avail .",
    ),
}


def _scripts() -> list[Path]:
    found = (p for p in ROOT.rglob("*.sh") if not {".venv", ".cache"} & set(p.parts))
    return [*sorted(found), ROOT / ".ci" / "run"]


SCRIPTS = pytest.mark.parametrize("script", _scripts(), ids=lambda path: str(path.name))


@SCRIPTS
def test_shellcheck_finds_nothing(script: Path) -> None:
    program = Path(sys.executable).parent / "shellcheck"
    done = subprocess.run([program, "-x", script], cwd=ROOT)
    assert done.returncode == 0


@SCRIPTS
@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_script_has_nothing_that_macos_lacks(script: Path, name: str) -> None:
    pattern = re.compile(FORBIDDEN[name][0])
    found = [n for n, line in enumerate(_code(script), 1) if pattern.search(line)]
    assert not found, f"{name} in {script.name}, lines {found}"


@pytest.mark.parametrize("name", FORBIDDEN)
def test_each_pattern_finds_what_it_forbids(name: str) -> None:
    pattern, example = FORBIDDEN[name]
    assert re.search(pattern, example)


@SCRIPTS
def test_a_script_can_be_run_or_says_that_it_is_sourced(script: Path) -> None:
    """A part of others, in `lib`, names its shell for the checker and cannot be started."""
    is_part = script.is_relative_to(ROOT / "lib") and script.name == "script.sh"
    first = "# shellcheck shell=bash\n" if is_part else "#!/usr/bin/env bash\n"
    assert script.read_text(encoding="utf-8").startswith(first)
    assert bool(script.stat().st_mode & 0o111) is not is_part


def _code(script: Path) -> list[str]:
    return [re.sub(r"(^|\s)#.*", "", n) for n in script.read_text(encoding="utf-8").splitlines()]

"""Findings as text and as JSON, for a terminal and for the support bundle."""

import shlex
import sys
import textwrap
import time
from typing import Any

from lib.core import words
from lib.core.names import shown
from lib.core.settings import ROOT
from lib.doctor.finding import Finding, Fix
from lib.doctor.registry import Look

ALL_WELL = "Nothing needs you: all checks are content."
WIDTH, INDENT, LONGEST = 92, 10, 1_000


def text(look: Look) -> str:
    """Worst first, each with what mends it; one sentence where all is well."""
    found, ignored = look.shown(), look.ignored()
    parts = [_paragraph(finding) for finding in found] or [ALL_WELL]
    if ignored:
        names = ", ".join(finding.id for finding in ignored)
        parts.append(f"Ignored ({len(ignored)}): {shown(names, LONGEST)}")
    parts += left_out(look)
    if any(finding.fix.action for finding in found):
        parts.append(f"To have one mended: {_command()} mend ID")
    return "\n\n".join(parts) + "\n"


def left_out(look: Look) -> list[str]:
    """What the look cannot speak of."""
    late = f"Not done in time: {', '.join(look.late)}." if look.late else ""
    failed = f"Could not look: {', '.join(look.failed)}." if look.failed else ""
    return [part for part in (late, failed) if part]


def summary(look: Look, now: float | None = None) -> str:
    """`Looked 2 min ago.`"""
    return f"Looked {words.ago(look.at, time.time() if now is None else now)}."


def as_json(look: Look) -> dict[str, Any]:
    """All of it for programs; what is ignored is marked."""
    ignored = {finding.id for finding in look.ignored()}
    rows = [
        {**finding.model_dump(mode="json"), "ignored": finding.id in ignored}
        for finding in look.findings
    ]
    return {"at": look.at, "findings": rows, "late": look.late, "failed": look.failed}


def _paragraph(finding: Finding) -> str:
    lines = [finding.title, f"Should be: {finding.wanted}", finding.why]
    told = [_wrapped(shown(line, LONGEST)) for line in lines]
    said = "\n".join([*told, f"{' ' * INDENT}{fix(finding.id, finding.fix)}"])
    return f"{finding.severity!s:<{INDENT}}{said.lstrip()}"


def fix(finding_id: str, fix: Fix) -> str:
    """What to type or to open."""
    label = shown(fix.label, LONGEST)
    if fix.action:
        return f"{label}: mend {shown(finding_id, LONGEST)}"
    if fix.command:
        return f"{label}: {shown(fix.command, LONGEST)}"
    return f"{label}: open {fix.page} in the dashboard"


def _command() -> str:
    """What a person types in any folder to run this."""
    return f"cd {shlex.quote(str(ROOT))} && {shlex.quote(sys.executable)} -m lib.doctor"


def _wrapped(line: str) -> str:
    return textwrap.fill(line, WIDTH, initial_indent=" " * INDENT, subsequent_indent=" " * INDENT)

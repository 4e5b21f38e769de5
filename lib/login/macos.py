"""The texts for macOS: an agent of launchd, and a small application that is a script.

A bundle of a property list and a script for /bin/bash, which is 3.2 there. It is made on the
machine itself, so nothing quarantines it, and there is no program in it that would have to be
signed.
"""

import plistlib
import re
import shlex

from lib import VERSION
from lib.login.started import Started

LABEL, BUNDLE = "berth.dashboard", "berth.launcher"
NAME = "Berth"
_KEPT = re.compile(r"^(export BERTH_HOME=|exec )")


def agent(start: Started) -> str:
    """Its end ends no model: `AbandonProcessGroup`."""
    log = str(start.home / "berth.log")
    said = {
        "Label": LABEL,
        "ProgramArguments": start.command("serve"),
        "WorkingDirectory": str(start.root),
        "EnvironmentVariables": start.variables,
        "RunAtLoad": True,
        "AbandonProcessGroup": True,
        "ProcessType": "Interactive",  # else the system slows what it calls a background task
        "StandardErrorPath": log,
        "StandardOutPath": log,
    }
    return plistlib.dumps(said).decode()


def info() -> str:
    """`Info.plist` of the application: it has no window, so nothing waits in the Dock."""
    said = {
        "CFBundleIdentifier": BUNDLE,
        "CFBundleName": NAME,
        "CFBundleDisplayName": NAME,
        "CFBundleExecutable": NAME,
        "CFBundleIconFile": "berth.icns",
        "CFBundlePackageType": "APPL",
        "CFBundleInfoDictionaryVersion": "6.0",
        "CFBundleShortVersionString": VERSION,
        "CFBundleVersion": VERSION,
        "LSMinimumSystemVersion": "13.0",
        "LSUIElement": True,
        "NSHighResolutionCapable": True,
    }
    return plistlib.dumps(said).decode()


def launcher(start: Started) -> str:
    """The application's program: it says so where Berth's folder is gone."""
    script = shlex.quote(str(start.root / "setup.sh"))
    variables = sorted(start.variables.items())
    exports = [f"export {name}={shlex.quote(text)}" for name, text in variables]
    return "\n".join(
        [
            "#!/bin/bash",
            "# Written by Berth, and removed by it: Settings, Start and quit.",
            "set -eu",
            *exports,
            f"if [ ! -f {script} ]; then",
            "  exec /usr/bin/osascript -e 'on run argv' \\",
            "    -e 'display alert \"Berth is not here any more.\" message (item 1 of argv)' \\",
            "    -e 'end run' \\",
            f"    {script}' is gone. If its folder was moved, run ./setup.sh --icon there.'",
            "fi",
            f"exec {shlex.join(start.command('open'))}",
            "",
        ]
    )


def essence_of_agent(text: str) -> list[str]:
    """What is started, and on which home; [] where it is no agent of ours."""
    try:
        said = plistlib.loads(text.encode())
        home = said["EnvironmentVariables"]["BERTH_HOME"]
        return [said["WorkingDirectory"], *said["ProgramArguments"][:3], home]
    except (ValueError, KeyError, TypeError, plistlib.InvalidFileException):
        return []


def essence_of_launcher(text: str) -> list[str]:
    """The same of the application's program."""
    lines = [line for line in text.splitlines() if _KEPT.match(line)]
    return [line.partition(" --port ")[0] for line in lines]

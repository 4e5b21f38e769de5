"""What the user changed in the browser: `settings.toml` in BERTH_HOME.

A file that cannot be used never stops Berth: `problem` tells what is wrong with it, and what cannot
be read has its default.
"""

import os
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lib.core import toml_file
from lib.core.access import Action, require
from lib.core.errors import BadInput
from lib.core.settings import ask_for_mirror, settings

LONGEST_PATH = 4_096


class GuestLimits(BaseModel):
    """What guests may ask of the models; lib/sharing/limits.py holds them to it."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    tokens_per_reply: int = Field(default=2_048, ge=16, le=1_000_000)
    replies_each: int = Field(default=1, ge=1, le=64)  # of one guest at the same time
    replies_of_all: int = Field(default=4, ge=1, le=256)
    questions_per_minute: int = Field(default=20, ge=1, le=1_000)  # of one guest
    models: list[str] = Field(default=[], max_length=1_000)  # none: all that run here
    may_load: bool = False  # a model that does not run


class EngineAddress(BaseModel):
    """A server of the OpenAI dialect on another machine; its key is kept elsewhere."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    name: str = Field(max_length=64)  # what its models are told apart by
    url: str = Field(max_length=2_048)  # …/v1


class Preferences(BaseModel):
    """The user's choices. Keys that this version does not know are kept."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    # Path of a llama-server of the user's own; "" looks on PATH, "off" never uses one.
    llama_server: str = Field(default="", max_length=LONGEST_PATH)
    share_address: str = Field(default="", max_length=64)  # where guests reached Berth last
    share_at_start: bool = False
    share_encryption: Literal["none", "berth", "own"] = "none"  # whose certificate
    share_certificate: str = Field(default="", max_length=LONGEST_PATH)  # PEM files of the owner's
    share_key: str = Field(default="", max_length=LONGEST_PATH)
    share_port: int = Field(default=0, ge=0, le=65_535)  # 0: Berth's own, or the next free one
    # See lib/sharing/forwarded.py, which checks these two: who is believed, and where it answers.
    trusted_proxies: list[str] = Field(default=[], max_length=16)
    share_public: str = Field(default="", max_length=300)
    idle_minutes: int = Field(default=0, ge=0, le=10_080)  # then a model is stopped; 0: never
    restarts_crashed: bool = True  # a model that ended by itself, see lib/fleet/comeback.py
    webhook: str = Field(default="", max_length=2_048)  # is told what happens, see fleet/notices.py
    guide_is_over: bool = False  # the first steps on Home were done, or dismissed
    require_key: bool = False  # also on this machine, see lib/core/owner_key.py
    programs_need_key: bool = (
        False  # for /v1 on this machine: an API key, see lib/sharing/programs.py
    )
    hub_mirror: str = Field(default="", max_length=300)  # asked in place of huggingface.co
    checks_for_updates: bool = True  # of models, once a day; see fleet/newer.py
    # Who else may be named in Host and Origin of a request to /v1; see lib/sharing/named.py.
    v1_hosts: list[str] = Field(default=[], max_length=16)
    v1_origins: list[str] = Field(default=[], max_length=16)
    stops_repetition: bool = True  # a chat's reply that goes round, see lib/chat/loops.py
    steady_prompts: bool = True  # see lib/api/shield/steady.py
    # Where models may lie besides other tools' folders; see fleet/adoption.py, which checks them.
    model_folders: list[str] = Field(default=[], max_length=64)
    # What programs may do without anybody at the dashboard; see fleet/on_demand.py.
    starts_on_demand: bool = True  # a model that is stopped starts when a program names it
    makes_room_on_demand: bool = False  # for it, one that nobody uses is stopped
    requests_at_once: int = Field(default=0, ge=0, le=256)  # of one model; 0: its engine's slots
    requests_waiting: int = Field(default=64, ge=0, le=1_000)  # behind them, for one model
    keeps_requests_text: bool = False  # what programs ask and get, see lib/requests/content.py
    guests: GuestLimits = GuestLimits()
    # See lib/engines/vllm/addresses.py, which checks them.
    engine_addresses: list[EngineAddress] = Field(default=[], max_length=64)


_Stamp = tuple[str, int, int, int, int]
_known: tuple[_Stamp | None, tuple[Preferences, str]] = None, (Preferences(), "")


def preferences() -> Preferences:
    """The choices of this moment."""
    return look()[0]


ask_for_mirror(lambda: preferences().hub_mirror)


def problem() -> str:
    """What is wrong with the file, in a sentence; "" where nothing is."""
    return look()[1]


def look() -> tuple[Preferences, str]:
    """Both at once. Cheap enough for every request: the file is read only when it has changed."""
    global _known
    path = _place(os.environ.get("BERTH_HOME", ""), os.environ.get("HOME", ""))
    stamp = _stamp(path)
    if stamp != _known[0]:
        _known = stamp, _read(path)
    return _known[1]


def change(**choices: Any) -> Preferences:
    """Write these fields of Preferences over the old ones; BadInput where one cannot be used.

    The file has what differs from the default, so that a better default reaches everybody else.

    A file that was broken is kept as settings.broken.toml.
    """
    require(Action.CONFIGURE)
    path = settings().preferences
    with toml_file.writing(path):
        now, wrong = look()
        new = _checked({**now.model_dump(), **choices})
        text = tomli_w.dumps(new.model_dump(exclude_defaults=True))
        toml_file.replace(path, text, is_broken=bool(wrong))
    return new


def _checked(values: dict[str, Any]) -> Preferences:
    try:
        return Preferences.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise BadInput(f"{key} cannot be set: {first['msg']}.", "Choose another value.") from error


@lru_cache(maxsize=8)
def _place(_berth_home: str, _home: str) -> Path:
    """The file, worked out once for each value of what it depends on."""
    return settings().preferences


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except OSError as error:
        return str(path), error.errno or 0, 0, 0, 0
    return str(path), found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def _read(path: Path) -> tuple[Preferences, str]:
    values, wrong_file = toml_file.read(path)
    if wrong_file:
        return Preferences(), wrong_file
    try:
        return Preferences.model_validate(values), ""
    except ValidationError as error:
        wrong = {str(each["loc"][0]) for each in error.errors()}
        kept = {key: value for key, value in values.items() if key not in wrong}
        names = ", ".join(sorted(wrong))
        return Preferences.model_validate(kept), f"{path} has no usable value for {names}."

"""Services of GPU slots as their files say: only those with Berth's mark, the section [X-Berth].

systemd passes over sections that begin with `X-`, so the mark is a part of the unit itself. Its
values stand there as they are: nothing in them is quoted, doubled or continued on a second line.
"""

import contextlib
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from lib.core.errors import BerthError
from lib.core.names import ModelName, shown
from lib.core.values import Frozen
from lib.engines.vllm.places import MOST_SLOTS, Places, port, slot_number, unit_name

MARK = "X-Berth"
LARGEST_UNIT = 65_536  # bytes; a larger one was not written by Berth
LONGEST_VALUE = 4_096

_NO_IMAGES = re.compile(r"--limit-mm-per-prompt\W+image\W+0\b")
_SECTION = re.compile(r"\[(.+)\]")


class Unit(Frozen):
    """One slot's service."""

    slot: int
    name: str  # berth-slot-0.service
    model: str  # the repository it came from
    revision: str
    served_name: ModelName  # what clients call the model
    port: int
    cards: tuple[str, ...] = ()  # UUIDs of its GPUs
    context: int | None = None  # tokens; None: what fits (`auto`)
    home: str = ""  # the BERTH_HOME that wrote it
    vllm: str = ""  # version of the program it runs
    is_text_only: bool = False  # started without its eyes, which saves memory
    calls_tools: bool = False  # started with a parser for its calls
    thinks: bool = False  # and with one for its thoughts
    written: str = ""  # ISO time

    @property
    def base_url(self) -> str:
        """Its engine's address, without /v1."""
        return f"http://127.0.0.1:{self.port}"


class Found(Frozen):
    """The units that can be read, and why others with our mark cannot, by file name."""

    units: tuple[Unit, ...] = ()
    problems: Mapping[str, str] = MappingProxyType({})


def read_units(places: Places) -> list[Unit]:
    """Every service with Berth's mark that can be understood, by slot."""
    return list(scan(places).units)


def scan(places: Places) -> Found:
    """The same, with what is wrong with the rest of those that carry the mark."""
    units, problems = [], {}
    for path in _files(places.units):
        try:
            text = _text(path)
            if mark := mark_of(text):
                is_blind = bool(_NO_IMAGES.search(text))
                unit = unit_of(path.name, mark, is_text_only=is_blind)
                parsers = {
                    "calls_tools": "--tool-call-parser" in text,
                    "thinks": "--reasoning-parser" in text,
                }
                units.append(unit.model_copy(update=parsers))
        except BerthError as error:
            problems[path.name] = error.message
        except (OSError, ValidationError) as error:
            problems[path.name] = f"{path.name} cannot be understood: {_first(error)}."
    return Found(units=tuple(sorted(units, key=lambda unit: unit.slot)), problems=problems)


def mark_of(text: str) -> dict[str, str]:
    """The section [X-Berth] of a unit's text; {} where there is none."""
    section, found = "", {}
    for line in text.splitlines():
        line = line.strip()
        if heading := _SECTION.fullmatch(line):
            section = heading[1]
        elif section == MARK and "=" in line and not line.startswith(("#", ";")):
            key, _, value = line.partition("=")
            found[key.strip()] = value.strip()[:LONGEST_VALUE]
    return found


def unit_of(name: str, mark: Mapping[str, str], *, is_text_only: bool = False) -> Unit:
    """The unit that this mark describes; BadInput or ValidationError where it makes no sense."""
    slot = slot_number(mark.get("Slot", ""))
    context = mark.get("Context", "")
    return Unit(
        slot=slot,
        name=_same(name, unit_name(slot)),
        model=mark.get("Model", ""),
        revision=mark.get("Revision", ""),
        served_name=mark.get("ServedName", ""),
        port=port(slot),
        cards=tuple(card for card in map(str.strip, mark.get("Cards", "").split(",")) if card),
        context=int(context) if context.isascii() and context.isdigit() else None,
        home=mark.get("Home", ""),
        vllm=mark.get("Vllm", ""),
        written=mark.get("Written", ""),
        is_text_only=is_text_only,
    )


def _same(name: str, wanted: str) -> str:
    if name != wanted:
        raise BerthError(f"{shown(name)} carries the mark of {wanted}.", "Remove that file.")
    return name


def _files(folder: Path) -> list[Path]:
    """Services with the name of a slot; none where the folder cannot be read."""
    with contextlib.suppress(OSError):
        names = {unit_name(slot) for slot in range(MOST_SLOTS)}
        return [path for path in sorted(folder.iterdir()) if path.name in names]
    return []


def _text(path: Path) -> str:
    """The file as text; "" where it is too large to be one of ours."""
    with path.open("rb") as file:
        data = file.read(LARGEST_UNIT + 1)
    return data.decode("utf-8", "replace") if len(data) <= LARGEST_UNIT else ""


def _first(error: OSError | ValidationError) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    first = error.errors()[0]
    return f"{first['loc'][0]}: {first['msg']}"

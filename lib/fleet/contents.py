"""What a model consists of: its files, its chat template, and where its engine has it."""

import contextlib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from lib.core.access import Action, require
from lib.core.errors import BerthError
from lib.core.settings import settings
from lib.engines import engine_of, llamacpp, ollama, vllm
from lib.engines.base import Model, State
from lib.engines.llamacpp import files as llamacpp_files
from lib.engines.llamacpp.files import ModelFile
from lib.engines.llamacpp.records import file_of
from lib.engines.ollama import api
from lib.engines.vllm.keys import key_copy
from lib.fit import gguf
from lib.fleet.endpoints import Way

LONGEST_LICENCE = 100  # characters; a name, not its text
LONGEST_TEMPLATE = 200_000  # characters; the longest that are published have some tens of thousands


class Part(NamedTuple):
    """One file of a model."""

    path: str
    bytes: int
    what: str = ""  # if not its weights
    leads_to: str = ""  # of a link


def parts(model: Model) -> list[Part]:
    """Its files on this disk, as far as they are known; Ollama and others keep theirs."""
    require(Action.CONFIGURE)
    file = _file(model)
    if file is None:
        return []
    first = file.full_path
    found = [_part(path) for path in _shards(first) if path.exists()]
    if file.projector:
        found.append(_part(Path(file.projector), "lets it see images"))
    if file.template:
        found.append(_part(Path(file.template), "its chat template"))
    return found


def template(model: Model) -> str:
    """Its chat template as it stands in its file, or as Ollama tells; "" where it has none."""
    require(Action.CONFIGURE)
    with contextlib.suppress(BerthError, OSError, ValueError):
        if model.engine == ollama.ENGINE.name:
            shown = api.ask("/api/show", api.Shown, {"model": model.name})
            return shown.template[:LONGEST_TEMPLATE]
        if file := _file(model):
            return _template_of(file)[:LONGEST_TEMPLATE]
    return ""


def licence(model: Model) -> str:
    """As its file names it; "" where it does not, or the file is another engine's."""
    require(Action.CONFIGURE)
    with contextlib.suppress(BerthError, OSError, ValueError):
        if file := _file(model):
            return _licence_of(file)
    return ""


def own_way(model: Model) -> Way | None:
    """Past Berth to the engine itself; None while it does not run, or where that is elsewhere."""
    require(Action.CONFIGURE)
    if not model.url or model.state != State.READY or model.is_elsewhere:
        return None
    to = engine_of(model).upstream(model.name)
    if to is None:
        return None
    return Way(to.base_url, to.model, _key_file(model) if to.key else "")


def _key_file(model: Model) -> str:
    if model.engine == llamacpp.NAME:
        return str(file_of(model.name, "key"))
    if model.engine == vllm.ENGINE.name and model.place.startswith("slot "):
        return str(key_copy(settings().home, int(model.place.removeprefix("slot "))))
    return ""


def _file(model: Model) -> ModelFile | None:
    if model.engine != llamacpp.NAME:
        return None
    with contextlib.suppress(BerthError):
        return llamacpp_files.find(model.name)
    return None


def _shards(first: Path) -> list[Path]:
    with contextlib.suppress(BerthError):
        return [*gguf.shard_paths(first)]
    return [first]


def _part(path: Path, what: str = "") -> Part:
    leads_to = str(path.resolve()) if path.is_symlink() else ""
    size = 0
    with contextlib.suppress(OSError):
        size = path.stat().st_size
    return Part(str(path), size, what, leads_to)


@lru_cache(maxsize=16)
def _licence_of(file: ModelFile) -> str:
    found = gguf.read_model(file.full_path).values
    named = [found.get(f"general.license{part}") for part in ("", ".name")]
    return next((one[:LONGEST_LICENCE] for one in named if isinstance(one, str) and one), "")


@lru_cache(maxsize=16)
def _template_of(file: ModelFile) -> str:
    """Read once for each state of the file: a long vocabulary takes 0.3 s."""
    if file.template:
        return Path(file.template).read_text(encoding="utf-8", errors="replace")
    return gguf.read_model(file.full_path).chat_template or ""

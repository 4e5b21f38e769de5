"""Where the gateway's files are, and what stands in them now."""

import re
from pathlib import Path

from lib.engines.vllm.places import Places
from lib.slots.gateway import nginx
from lib.slots.gateway.litellm import MASTER_KEY, PORTS, UNITS

_MASTER = re.compile(rf"^{MASTER_KEY}=([A-Za-z0-9_-]{{16,200}})$", re.MULTILINE)


def folder(places: Places) -> Path:
    """LiteLLM's own: its settings, and Berth's list of models."""
    return places.settings / "litellm"


def config(places: Places) -> Path:
    """LiteLLM's settings, made once and then their user's."""
    return folder(places) / "config.yaml"


def include(places: Places) -> Path:
    """The models that Berth deployed."""
    return folder(places) / "berth.yaml"


def env_file(places: Places) -> Path:
    """LiteLLM's key, and those of the user's own models (0600, root's), made once."""
    return places.settings / "litellm.env"


def slots_env_file(places: Places) -> Path:
    """The keys of the slots' engines (0600, root's)."""
    return places.settings / "litellm-slots.env"


def unit(places: Places, second: bool) -> Path:
    """The service of LiteLLM on its first or second port."""
    return places.units / UNITS[second]


def nginx_config(places: Places) -> Path:
    """Berth's own file in a folder that nginx reads."""
    return places.root / "etc/nginx/conf.d/berth.conf"


def text(path: Path) -> str:
    """What stands in a file; "" where it is absent or may not be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def master_key(places: Places) -> str:
    """The key that clients send to LiteLLM; "" where there is none yet, or it may not be read."""
    found = _MASTER.search(text(env_file(places)))
    return found[1] if found else ""


def is_second_active(places: Places) -> bool:
    """Does nginx lead to the LiteLLM on the second port? Else the first serves."""
    return nginx.litellm_port(text(nginx_config(places))) == PORTS[True]

"""Where things are: read from the environment each time, so that tests and users can move them."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr

from lib.core import model_place

ROOT = Path(__file__).resolve().parents[2]
HUB = "https://huggingface.co"
HEADER_SECONDS = 10.0


_mirror: Callable[[], str] = str


def ask_for_mirror(look: Callable[[], str]) -> None:
    """What the owner chose is kept with the preferences, which stand on this module."""
    global _mirror
    _mirror = look


class Settings(BaseModel):
    """Paths and addresses; the folders need not exist yet."""

    model_config = ConfigDict(frozen=True)

    home: Path
    is_offline: bool
    header_seconds: float  # in which a request's header has to be whole
    system_root: Path  # what stands above /etc and /var of the GPU side; `/` but for tests

    @property
    def hf_endpoint(self) -> str:
        """Where the Hub is: as the environment says, or the owner chose; read as it is wanted."""
        return (os.environ.get("HF_ENDPOINT") or _mirror() or HUB).rstrip("/")

    @property
    def hf_token(self) -> SecretStr | None:
        """The Hub token; read where it is wanted, as pages ask for the folders a thousand times."""
        return _token(self.home)

    @property
    def jobs(self) -> Path:
        """One folder per job."""
        return self.home / "jobs"

    @property
    def models(self) -> Path:
        """GGUF files, by repository and revision, with partial downloads beside them."""
        return model_place.place(self.home).now

    @property
    def model_roots(self) -> tuple[Path, ...]:
        """The same, and the folder where models lay before and some may lie still."""
        return model_place.place(self.home).roots

    @property
    def gone_roots(self) -> tuple[Path, ...]:
        """Those of them whose disk is not connected."""
        return model_place.gone(self.home)

    @property
    def engines(self) -> Path:
        """One record per running child of the built-in engine."""
        return self.home / "engines"

    @property
    def hub_cache(self) -> Path:
        """What the Hub has answered."""
        return self.home / "cache" / "hub"

    @property
    def token_file(self) -> Path:
        """The Hub token that was saved from the browser."""
        return self.home / "hf_token"

    @property
    def preferences(self) -> Path:
        """What the user changed in the browser, see lib/core/preferences.py."""
        return self.home / "settings.toml"

    @property
    def chat(self) -> Path:
        """Prompts of the owner's own and what new conversations begin with, see chat/presets.py."""
        return self.home / "chat.toml"

    @property
    def engine_keys(self) -> Path:
        """One file per server on another machine that wants a key."""
        return self.home / "engine_keys"

    @property
    def slots(self) -> Path:
        """Of each GPU slot the key, for its owner, and what its service wrote last."""
        return self.home / "slots"

    @property
    def owner_key(self) -> Path:
        """The key that Berth asks its owner for, where that was chosen."""
        return self.home / "owner.key"

    @property
    def rules(self) -> Path:
        """What was decided about single models, see lib/fleet/rules.py."""
        return self.home / "rules.json"

    @property
    def variants(self) -> Path:
        """How single models are loaded, see lib/engines/variants.py."""
        return self.home / "variants.json"

    @property
    def titles(self) -> Path:
        """What the owner calls single models, see lib/engines/titles.py."""
        return self.home / "titles.json"

    @property
    def replies(self) -> Path:
        """One spool file per reply that its browser has not fetched yet."""
        return self.home / "replies"


def settings() -> Settings:
    """The settings of this moment.

    `BERTH_HOME`, `HF_ENDPOINT`, `HF_TOKEN`, `HF_HUB_OFFLINE`, `BERTH_HEADER_SECONDS`,
    `BERTH_SYSTEM_ROOT`.
    """
    home = Path(os.environ.get("BERTH_HOME") or "~/.berth").expanduser().resolve()
    return Settings(
        home=home,
        is_offline=os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"),
        header_seconds=_seconds(os.environ.get("BERTH_HEADER_SECONDS", "")),
        system_root=Path(os.environ.get("BERTH_SYSTEM_ROOT") or "/"),
    )


def _seconds(given: str) -> float:
    with contextlib.suppress(ValueError):
        return max(float(given), 0.1)
    return HEADER_SECONDS


def _token(home: Path) -> SecretStr | None:
    """The Hub token: of the environment, saved from the browser, or of the Hub's own tool."""
    given = os.environ.get("HF_TOKEN", "").strip() or _read(home / "hf_token") or _login()
    return SecretStr(given) if given else None


def _login() -> str:
    """What `hf auth login` has kept, unless that is to be used only where it is named."""
    return "" if is_login_off() else login_token()


def is_login_off() -> bool:
    """Is that login to be used only where it is named?"""
    given = os.environ.get("HF_HUB_DISABLE_IMPLICIT_TOKEN", "").upper()
    return given in ("1", "ON", "YES", "TRUE")


def login_token() -> str:
    """What `hf auth login` has kept; "" where nobody has logged in."""
    return _read(login_file())


def login_file() -> Path:
    """Where the Hub's own tool keeps its token."""
    if path := os.environ.get("HF_TOKEN_PATH"):
        return Path(path).expanduser()
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{caches}/huggingface"
    return Path(home).expanduser() / "token"


def _read(path: Path) -> str:
    with contextlib.suppress(OSError, ValueError):  # absent, or not what was saved
        return path.read_text(encoding="utf-8").strip()
    return ""

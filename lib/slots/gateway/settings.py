"""What this machine's administrator sets for the gateway: /etc/berth/gateway.toml.

    port = 8100                     # where nginx listens, on loopback
    hosts = ["llm.example.org"]     # further names by which it may be asked

    [[servers]]                     # another machine's server, for a model of its own or for one
    model = "acme/Anvil-8B"         # that runs here too: equal names share the requests
    address = "http://10.0.0.2:8000/v1"
    name = "anvil"                  # for clients; without it the model's, less its organisation
    key = "SECOND_SERVER_KEY"       # a variable in /etc/berth/litellm.env

It decides where requests go, so it has to be root's own.
"""

import stat
import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError

from lib.core.errors import BadInput
from lib.core.names import ModelName
from lib.core.values import Frozen
from lib.engines.vllm.places import Places
from lib.slots.gateway.backends import Backend, base_url, variable
from lib.slots.gateway.nginx import DEFAULT_PORT, Front, HostName

FILE = "gateway.toml"


class Server(Frozen):
    """A server elsewhere."""

    model: ModelName
    address: Annotated[str, AfterValidator(base_url)]
    name: ModelName | None = None
    key: Annotated[str, AfterValidator(variable)] = ""


class GatewaySettings(Frozen):
    """The file's content; all of it may be left away."""

    port: int = Field(default=DEFAULT_PORT, ge=1, le=65_535)
    hosts: tuple[HostName, ...] = ()
    servers: tuple[Server, ...] = ()

    @property
    def front(self) -> Front:
        """Where nginx listens, and for whom."""
        return Front(port=self.port, hosts=(*Front().hosts, *self.hosts))

    @property
    def backends(self) -> list[Backend]:
        """What LiteLLM may ask elsewhere."""
        return [
            Backend(model=one.model, address=one.address, key_variable=one.key, name=one.name)
            for one in self.servers
        ]


def gateway_settings(places: Places) -> GatewaySettings:
    """As the file says now; BadInput where it may not be trusted or cannot be understood."""
    file = places.settings / FILE
    try:
        _require_roots(file, places)
        return GatewaySettings.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return GatewaySettings()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as error:
        raise BadInput(f"{file} cannot be understood: {_first(error)}.", "Correct it.") from error
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error.strerror}.", "Make it 0644.") from error


def _require_roots(file: Path, places: Places) -> None:
    facts = file.stat()
    is_open = facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if is_open or (facts.st_uid != 0 and places.root == Path("/")):
        raise BadInput(
            f"{file} can be changed by others than root, and it decides where requests go.",
            f"Run: sudo chown root {file} && sudo chmod 644 {file}",
        )


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error).rstrip(".")

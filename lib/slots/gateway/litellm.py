"""LiteLLM's files as texts: what Berth writes anew, and what it writes once for its user.

Sources: the source of litellm 1.110.2, tried. `include` lengthens lists and *replaces* every other
section, so Berth's own file holds the list of models alone, and the settings stand in the user's.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from lib.core.values import Frozen
from lib.engines.vllm.places import SYSTEM_USER, Places
from lib.engines.vllm.units import MARK
from lib.slots.gateway.backends import Named

HOST = "127.0.0.1"
PORTS = (4000, 4001)  # the one that serves, and its successor while it is replaced
UNITS = ("berth-litellm.service", "berth-litellm-second.service")
MASTER_KEY = "LITELLM_MASTER_KEY"
HEALTH_SECONDS = 30  # between two questions to each of several servers
HEALTH_PATIENCE_SECONDS = 30  # so long the answer may take
DRAIN_SECONDS = 1_800  # so long streams that are under way run on in one that was replaced
RESTART_SECONDS = 30  # the same where nothing can take its place meanwhile
START_SECONDS = 180


def include_text(backends: Sequence[Named]) -> str:
    """/etc/berth/litellm/berth.yaml: a model for each backend, in JSON, which is YAML."""
    head = (
        "# Written by Berth, which writes it anew with each deployment.\n"
        "# Models and settings of your own belong into config.yaml beside it.\n"
    )
    rows = [f"  - {json.dumps(_entry(each), ensure_ascii=False)}\n" for each in backends]
    return f"{head}model_list:{' []' if not rows else ''}\n{''.join(rows)}"


def _entry(named: Named) -> Mapping[str, object]:
    backend = named.backend
    key = f"os.environ/{backend.key_variable}" if backend.key_variable else "none"
    # One of several is asked for a token now and then, so that a dead or stuck one is passed over;
    # for a single one that would change nothing.
    info = {"health_check_max_tokens": 1} if named.is_balanced else {}
    return {
        "model_name": named.name,
        "litellm_params": {
            "model": f"hosted_vllm/{backend.model}",
            "api_base": backend.address,
            "api_key": key,
        },
        "model_info": info or {"disable_background_health_check": True},
    }


def config_text() -> str:
    """/etc/berth/litellm/config.yaml as it is made: from then on it is its user's."""
    return f"""\
# LiteLLM's settings. Berth wrote this file once and never changes it: it is yours.
# After a change: sudo systemctl restart berth-litellm (streams have some seconds to end).
include: [berth.yaml] # the models that Berth deployed

# model_list: # models of your own; their keys belong into /etc/berth/litellm.env
#   - model_name: gpt
#     litellm_params: {{model: openai/gpt-5, api_key: os.environ/OPENAI_API_KEY}}

general_settings:
  master_key: os.environ/{MASTER_KEY}
  cancel_on_disconnect: true # a client that leaves ends the engine's work
  # Of a model on several servers each is asked for one token every {HEALTH_SECONDS} s; one that is
  # dead or stuck gets no requests. Models on a single server are never asked.
  background_health_checks: true
  enable_health_check_routing: true
  health_check_interval: {HEALTH_SECONDS}

router_settings:
  allowed_fails: 1 # with LiteLLM's own settings a dead server costs errors while it is dead
  cooldown_time: 30
  num_retries: 1

litellm_settings:
  telemetry: false
"""


class LiteLLMService(Frozen):
    """What a service of LiteLLM depends on."""

    program: Path  # the virtual environment that has bin/litellm
    version: str
    second: bool = False  # the one on the other port
    drain_seconds: int = DRAIN_SECONDS

    @property
    def name(self) -> str:
        """The service's name."""
        return UNITS[self.second]

    @property
    def port(self) -> int:
        """Where it listens, on loopback."""
        return PORTS[self.second]


def unit_text(service: LiteLLMService, places: Places | None = None) -> str:
    """Its service file; paths are those of the running system."""
    at = places or Places()
    folder = "litellm-second" if service.second else "litellm"
    sections = {
        "Unit": [
            f"Description=LiteLLM for Berth, port {service.port}",
            "After=network.target",
            "StartLimitIntervalSec=10min",
            "StartLimitBurst=4",
        ],
        "Service": [
            "Type=exec",
            f"User={SYSTEM_USER}",
            f"Group={SYSTEM_USER}",
            f"CacheDirectory=berth/{folder}",
            "CacheDirectoryMode=0700",
            f"WorkingDirectory=/var/cache/berth/{folder}",
            *(f"Environment={name}={value}" for name, value in environment(service).items()),
            f"EnvironmentFile={at.settings}/litellm.env",
            f"EnvironmentFile=-{at.settings}/litellm-slots.env",
            f"ExecStart={' '.join(command(service, at))}",
            "Restart=always",
            "RestartSec=5",
            "RestartPreventExitStatus=2 3",
            "SuccessExitStatus=143",
            "KillMode=mixed",
            f"TimeoutStopSec={service.drain_seconds + 15}",
            *CONFINEMENT,
        ],
        "Install": ["WantedBy=multi-user.target"],
        MARK: ["For=gateway", f"LiteLLM={service.version}"],
    }
    return "\n\n".join("\n".join([f"[{name}]", *lines]) for name, lines in sections.items()) + "\n"


def command(service: LiteLLMService, places: Places) -> list[str]:
    """Its command line; no secret is in it."""
    return [
        str(service.program / "bin/litellm"),
        *("--config", str(places.settings / "litellm/config.yaml")),
        *("--host", HOST, "--port", str(service.port)),
    ]


def environment(service: LiteLLMService) -> dict[str, str]:
    """What it finds in its environment besides its secrets."""
    cache = f"/var/cache/berth/{'litellm-second' if service.second else 'litellm'}"
    return {
        **quiet_environment(),
        "GRACEFUL_SHUTDOWN_TIMEOUT": str(service.drain_seconds),
        "HEALTH_CHECK_TIMEOUT_SECONDS": str(HEALTH_PATIENCE_SECONDS),
        "HOME": cache,
        "XDG_CACHE_HOME": cache,
    }


def quiet_environment() -> dict[str, str]:
    """No pages, no look-ups outside, no .env file of the folder it is started in."""
    return {
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "WARNING",
        "DISABLE_ADMIN_UI": "True",
        "NO_DOCS": "True",
        "NO_REDOC": "True",
        "NO_OPENAPI": "True",
        "DO_NOT_TRACK": "1",
        "NO_COLOR": "1",
    }


CONFINEMENT = (
    "NoNewPrivileges=yes",
    "CapabilityBoundingSet=",
    "AmbientCapabilities=",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "ProtectClock=yes",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectProc=invisible",
    "ProcSubset=pid",
    "RestrictSUIDSGID=yes",
    "RestrictRealtime=yes",
    "RestrictNamespaces=yes",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
    "UMask=0077",
    "LimitNOFILE=65536",
)


def keys_text(keys: Mapping[str, str]) -> str:
    """/etc/berth/litellm-slots.env (0600): the key of each server by its variable."""
    return "".join(f"{variable}={key}\n" for variable, key in sorted(keys.items()) if key)


def master_key_text(key: str) -> str:
    """/etc/berth/litellm.env (0600) as it is made: keys for the user's own models go there too."""
    return (
        "# LiteLLM's secrets; Berth wrote this file once. Clients send the first as their key.\n"
        f"{MASTER_KEY}={key}\n"
    )

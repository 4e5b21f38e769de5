"""The service of a GPU slot as systemd reads it: what is started, for whom, and what it may touch.

Sources: systemd.service(5), systemd.exec(5), systemd.syntax(7) of version 252 and later. Paths are
those of the running system, also where the file itself is written below another root.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from lib.core.errors import BadInput
from lib.core.names import ModelName, RepoName, shown
from lib.core.unit_words import assigned, quoted, require_visible
from lib.core.values import Frozen
from lib.engines.vllm.places import SYSTEM_USER, Places, port
from lib.engines.vllm.units import MARK

SHUTDOWN_SECONDS = 30  # so long a stop lets streams that are under way run on
STOP_SECONDS = SHUTDOWN_SECONDS + 30
READY_SECONDS = 3600  # vLLM's own limit for its engine; 600 fails a healthy start on a slow disk
MOST_CHOICES = 16  # `n` of a request
KEEP_ALIVE_SECONDS = 15  # between comment lines while a request waits
TEMPORARY = "tmp"  # below the cache folder
LOOPBACK = "127.0.0.1"
MODPROBE = "/usr/bin/nvidia-modprobe"
# The names in /proc/devices of the driver from 550.40 on, and the one that it had before.
DEVICES = (
    "char-nvidia",
    "char-nvidiactl",
    "char-nvidia-uvm",
    "char-nvidia-modeset",
    "char-nvidia-caps",
    "char-nvidia-caps-imex-channels",
    "char-nvidia-frontend",
)
PREPARATION = "berth-nvidia.service"
NO_IMAGES = '{"image":0,"video":0}'


class SlotService(Frozen):
    """All that one slot's service depends on."""

    slot: int
    model: RepoName
    revision: str
    served_name: ModelName
    folder: Path  # of the model's files
    program: Path  # the virtual environment that has bin/vllm
    vllm: str  # its version
    cards: tuple[str, ...]  # UUIDs
    context: int | None = None  # tokens; None: as many as fit
    utilization: float = 0.92  # share of each card's whole memory
    max_num_seqs: int = 256
    tensor_parallel: int = 1
    quantization: str = ""  # to be done while loading
    kv_cache: str = ""
    needs_half: bool = False  # the card does not compute in bfloat16
    is_text_only: bool = False
    parsers: tuple[str, ...] = ()  # arguments for tools and reasoning
    extra_arguments: tuple[str, ...] = ()  # of the administrator
    extra_environment: Mapping[str, str] = {}
    home: str = ""  # the BERTH_HOME that asked for it
    written: str = ""  # ISO time


class Node(Frozen):
    """One machine of several that serve a model together."""

    rank: int
    count: int
    address: str  # its own, in the private network
    head: str  # that of rank 0
    head_port: int
    interface: str  # network card, "" for the machine's own choice
    peers: tuple[str, ...]  # all addresses


def unit_text(service: SlotService, node: Node | None = None) -> str:
    """The whole file; BadInput where a value cannot stand in one."""
    sections = {
        "Unit": list(_unit(service, node)),
        "Service": list(_service(service, node)),
        "Install": ["WantedBy=multi-user.target"],
        MARK: list(_mark(service)),
    }
    return "\n\n".join("\n".join([f"[{name}]", *lines]) for name, lines in sections.items()) + "\n"


def preparation_text() -> str:
    """The service that makes the device files: after a reboot nobody else makes /dev/nvidia-uvm.

    It comes before the engine's own, because the devices that a service may use are looked up in
    /proc/devices before its first command runs, and what is not there by then stays forbidden.
    """
    lines = {
        "Unit": [
            "Description=NVIDIA device files for Berth's slots",
            "StartLimitIntervalSec=0",  # it runs with every start of every slot
        ],
        "Service": ["Type=oneshot", f"ExecStart=-{MODPROBE} -c0 -u"],
        MARK: ["For=slots"],
    }
    return "\n\n".join("\n".join([f"[{name}]", *each]) for name, each in lines.items()) + "\n"


def command(service: SlotService, node: Node | None = None) -> list[str]:
    """The engine with its arguments; the administrator's come last, and so win."""
    return [
        str(service.program / "bin/vllm"),
        "serve",
        str(service.folder),
        *_network(service, node),
        *_size(service),
        *_manners(),
        *(["--quantization", service.quantization] if service.quantization else []),
        *(["--kv-cache-dtype", service.kv_cache] if service.kv_cache else []),
        *(["--dtype", "half"] if service.needs_half else []),
        *(["--limit-mm-per-prompt", NO_IMAGES] if service.is_text_only else []),
        *service.parsers,
        *(_together(node) if node else []),
        *service.extra_arguments,
    ]


def environment(service: SlotService, node: Node | None = None) -> dict[str, str]:
    """What the engine finds in its environment besides its secrets."""
    cache = str(Places().cache(service.slot))
    own = {
        "CUDA_VISIBLE_DEVICES": ",".join(service.cards),
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "HF_HUB_OFFLINE": "1",
        "VLLM_HOST_IP": node.address if node else LOOPBACK,
        "VLLM_ENGINE_READY_TIMEOUT_S": str(READY_SECONDS),
        "VLLM_MAX_N_SEQUENCES": str(MOST_CHOICES),
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_DISABLE_LOG_LOGO": "1",
        "DO_NOT_TRACK": "1",
        "NO_COLOR": "1",
        "HOME": cache,
        "XDG_CACHE_HOME": cache,
        "TMPDIR": str(Places().cache(service.slot) / TEMPORARY),
    }
    if node and node.interface:
        own |= {"NCCL_SOCKET_IFNAME": node.interface, "GLOO_SOCKET_IFNAME": node.interface}
    if node:  # its number on that machine is the same, its UUID is not known here
        del own["CUDA_VISIBLE_DEVICES"]
    return own | dict(service.extra_environment)


def _unit(service: SlotService, node: Node | None) -> Iterator[str]:
    part = f", node {node.rank} of {node.count}" if node else ""
    described = f"Berth slot {service.slot}: {service.model} (vLLM{part})"
    yield "Description=" + described.replace("%", "%%")
    network = "network-online.target"
    yield f"Wants={PREPARATION} {network}" if node else f"Wants={PREPARATION}"
    yield f"After={PREPARATION} {network}" if node else f"After={PREPARATION} network.target"
    # A start takes minutes, so the usual limit of five in ten seconds would never end a loop.
    yield "StartLimitIntervalSec=1h"
    yield "StartLimitBurst=4"


def _service(service: SlotService, node: Node | None) -> Iterator[str]:
    yield "Type=exec"
    yield from _who(service)
    variables = environment(service, node)
    yield from (assigned(name, value) for name, value in variables.items())
    yield f"EnvironmentFile={Places().env_file(service.slot)}"
    # vLLM's checks of what it is sent are assertions.
    yield "UnsetEnvironment=PYTHONOPTIMIZE"
    # As root, and where the program is missing all is well.
    yield f"ExecStartPre=+-{MODPROBE} -c0 -u"
    yield "ExecStart=" + " ".join(map(quoted, command(service, node)))
    yield from _life()
    yield from _confinement(node)


def _who(service: SlotService) -> Iterator[str]:
    name = f"berth/slot-{service.slot}"
    yield f"User={SYSTEM_USER}"
    yield f"Group={SYSTEM_USER}"
    yield f"CacheDirectory={name} {name}/{TEMPORARY}"
    yield "CacheDirectoryMode=0700"
    yield f"WorkingDirectory={Places().cache(service.slot)}"


def _life() -> Iterator[str]:
    """vLLM ends with 0 when its engine dies, so only `always` brings it back."""
    yield "Restart=always"
    yield "RestartSec=15"
    yield "RestartPreventExitStatus=2"  # its arguments are wrong, and stay so
    yield "SuccessExitStatus=130 143 SIGINT"  # how it ends when it is stopped while it loads
    yield "KillMode=mixed"
    yield f"TimeoutStopSec={STOP_SECONDS}"
    yield "OOMPolicy=stop"
    yield "LimitMEMLOCK=infinity"
    yield "LimitNOFILE=65536"


def _confinement(node: Node | None) -> Iterator[str]:
    """As little as CUDA works with: no MemoryDenyWriteExecute, ProtectClock, ProcSubset."""
    yield from (
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
        "AmbientCapabilities=",
        "ProtectSystem=strict",
        "ProtectHome=yes",
        "PrivateTmp=yes",
        "ProtectKernelTunables=yes",
        "ProtectKernelModules=yes",
        "ProtectKernelLogs=yes",
        "ProtectControlGroups=yes",
        "ProtectHostname=yes",
        "ProtectProc=invisible",
        "RestrictSUIDSGID=yes",
        "RestrictRealtime=yes",
        "RestrictNamespaces=yes",
        "LockPersonality=yes",
        "SystemCallArchitectures=native",
        "SystemCallFilter=@system-service pidfd_getfd",
        "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
        "IPAddressDeny=any",
        "IPAddressAllow=localhost",
    )
    yield from (f"IPAddressAllow={address}" for address in (node.peers if node else ()))
    yield "UMask=0077"
    yield "DevicePolicy=closed"
    yield from (f"DeviceAllow={name} rwm" for name in DEVICES)
    if node:
        yield "DeviceAllow=char-infiniband_verbs rw"


def _mark(service: SlotService) -> Iterator[str]:
    """What says that this file is Berth's own, and what it is for."""
    values = {
        "Slot": str(service.slot),
        "Model": service.model,
        "Revision": service.revision,
        "ServedName": service.served_name,
        "Cards": ",".join(service.cards),
        "Context": str(service.context or "auto"),
        "Utilization": f"{service.utilization:g}",
        "Home": service.home,
        "Vllm": service.vllm,
        "Written": service.written,
    }
    for name, value in values.items():
        require_visible(value)
        if value.endswith("\\"):  # it would take the next line in
            raise BadInput(f"“{shown(value)}” ends in a backslash.", "Use another name.")
        yield f"{name}={value}"


def _network(service: SlotService, node: Node | None) -> list[str]:
    """Of several machines only the first answers requests."""
    if node and node.rank > 0:
        return ["--headless"]
    return [
        "--served-model-name",
        service.served_name,
        "--host",
        LOOPBACK,
        "--port",
        str(port(service.slot)),
    ]


def _size(service: SlotService) -> list[str]:
    return [
        "--max-model-len",
        str(service.context or "auto"),
        "--gpu-memory-utilization",
        f"{service.utilization:g}",
        "--max-num-seqs",
        str(service.max_num_seqs),
        *(
            ["--tensor-parallel-size", str(service.tensor_parallel)]
            if service.tensor_parallel > 1
            else []
        ),
    ]


def _manners() -> list[str]:
    return [
        "--shutdown-timeout",
        str(SHUTDOWN_SECONDS),
        "--disable-fastapi-docs",
        "--disable-access-log-for-endpoints",
        "/health,/metrics",
        "--sse-keep-alive-interval",
        str(KEEP_ALIVE_SECONDS),
        "--fingerprint-mode",
        "none",
    ]


def _together(node: Node) -> list[str]:
    """vLLM's own way over several machines; the same on each but for the rank."""
    return [
        "--pipeline-parallel-size",
        str(node.count),
        "--nnodes",
        str(node.count),
        "--node-rank",
        str(node.rank),
        "--master-addr",
        node.head,
        "--master-port",
        str(node.head_port),
    ]

"""One model on several servers, by vLLM's own means: a unit file for each, and what each needs.

Nothing is started and nothing copied: which machines these are, and how one gets onto them, is
their owner's. There is no cluster daemon; the same command runs on all, the first one answers.
Source: vLLM's docs/serving/parallelism_scaling.md.
"""

from pathlib import Path

from lib.core.errors import BadInput
from lib.core.settings import settings
from lib.engines.vllm.floors import VLLM_PINNED
from lib.engines.vllm.places import Places, port, unit_name
from lib.hub import checkpoints
from lib.hub.checkpoints import HubCheckpoint
from lib.jobs.report import Report
from lib.slots.check import model
from lib.slots.engine_settings import EngineSettings
from lib.slots.request import NodesRequest, SlotRequest
from lib.slots.unit_text import PREPARATION, Node, SlotService, preparation_text, unit_text

README = "README.txt"
UTILIZATION = 0.9  # free memory of those machines is not known here


def write(
    request: SlotRequest, wanted: NodesRequest, report: Report, *, is_rehearsal: bool
) -> None:
    """One folder for each machine, and a text that says what to do with them."""
    put = _tell if is_rehearsal else _put
    report.begin("nodes", f"Looking up {request.model}.")
    found = checkpoints.checkpoint(request.model)
    service = _service(request, found)
    for node in nodes(wanted):
        folder = wanted.folder / f"node-{node.rank}"
        put(folder / unit_name(request.slot), unit_text(service, node), report)
        put(folder / PREPARATION, preparation_text(), report)
    put(wanted.folder / README, text(service, nodes(wanted)), report)
    if not is_rehearsal:
        report.say(f"\n{text(service, nodes(wanted))}")
    report.end(f"Nothing was started. Read {wanted.folder / README}.")


def nodes(wanted: NodesRequest) -> list[Node]:
    """The machines, the head first."""
    return [
        Node(
            rank=rank,
            count=wanted.count,
            address=address,
            head=wanted.addresses[0],
            head_port=wanted.port,
            interface=wanted.interface,
            peers=wanted.addresses,
        )
        for rank, address in enumerate(wanted.addresses)
    ]


def text(service: SlotService, machines: list[Node]) -> str:
    """What each machine needs, and in which order they are started, stopped and restarted."""
    unit, count = unit_name(service.slot), len(machines)
    cards = f"{service.tensor_parallel} card{'s' if service.tensor_parallel > 1 else ''}"
    rows = "\n".join(
        f"  node-{n.rank}  {n.address}{'  the head: it answers requests' if n.rank == 0 else ''}"
        for n in machines
    )
    others = " ".join(n.address for n in machines[1:])
    where = f"{machines[0].address}, loopback port {port(service.slot)}"
    interface = (
        f"the network card {machines[0].interface}"
        if machines[0].interface
        else "each machine's own choice of network card; --nic NAME names another"
    )
    return f"""{service.model} on {count} servers with {cards} each ({unit})

{rows}

Every server needs
  1. the private network of these addresses and nobody else on it: what they say to each other is
     not encrypted, and whoever speaks to port {machines[0].head_port} can run programs. Open all
     ports between them, to nobody else. They use {interface}.
  2. an entry in /etc/hosts, or DNS, that leads its own name to that address, not to 127.0.1.1
  3. the same NVIDIA driver and {cards}
  4. vLLM {service.vllm} in {service.program}, the same version on each
  5. the same files of the model, revision {service.revision}, in
     {service.folder}
  6. the account and the key:
       sudo useradd --system --user-group --no-create-home --shell /usr/sbin/nologin berth
       sudo install -d -m 755 /etc/berth
       sudo install -m 600 /dev/null {Places().env_file(service.slot)}
     and, on the head, the line VLLM_API_KEY=… in that file, letters and digits
  7. the two files of its folder in /etc/systemd/system, then: sudo systemctl daemon-reload

Start all of them within a few minutes; each waits for the others:
  sudo systemctl enable --now {unit}

They restart together or not at all. A single one that restarts leaves the others hanging:
  1. stop the head ({machines[0].address}), then {others}
  2. start {others}, then the head
  (sudo systemctl stop {unit}, sudo systemctl start {unit})

The model answers on {where}, when all of them have loaded it. Look at the log of
the head first: journalctl -u {unit}
"""


def _service(request: SlotRequest, found: HubCheckpoint) -> SlotService:
    if request.cards:
        raise BadInput(
            "--cards names cards of this machine, and --nodes are others.",
            "Leave --cards away: each server uses its first cards.",
        )
    program = Places().program("vllm", VLLM_PINNED)
    return SlotService(
        slot=request.slot,
        model=request.model,
        revision=found.sha,
        served_name=request.name,
        folder=Places().model(request.model, found.sha),
        program=program,
        vllm=VLLM_PINNED,
        cards=(),
        context=request.context,
        utilization=UTILIZATION,
        max_num_seqs=request.max_num_seqs or 64,
        tensor_parallel=request.tensor_parallel,
        quantization=request.quantization,
        kv_cache=request.kv_cache,
        is_text_only=request.is_text_only,
        parsers=model.parsers(found),
        extra_environment=EngineSettings().environment,
        home=str(settings().home),
    )


def _put(file: Path, content: str, report: Report) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")
    report.say(f"  wrote {file}")


def _tell(file: Path, content: str, report: Report) -> None:
    report.say(f"  would write {file}")
    report.say("\n".join(f"    | {line}" for line in content.splitlines()))

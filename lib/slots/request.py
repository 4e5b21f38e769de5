"""What somebody wishes to run on a GPU slot, checked once."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from lib.core.errors import BadInput
from lib.core.names import RepoName, model_name, shown
from lib.core.settings import ROOT
from lib.core.values import Frozen
from lib.engines.vllm.places import MOST_SLOTS, slot_number

SCRIPT = ROOT / "deploy_model.sh"
SMALLEST_CONTEXT, LARGEST_CONTEXT = 256, 10_485_760
MOST_CARDS = 64
HEAD_PORT = 29_501  # vLLM's own default for its machines to meet
_CARD = re.compile(r"GPU-[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,14}")


def context_length(text: str | int | None) -> int | None:
    """Tokens, or None for as many as fit (`auto`, or nothing); BadInput for anything else."""
    given = str(text if text is not None else "auto").strip()
    if given.lower() == "auto":
        return None
    number = int(given) if re.fullmatch(r"[0-9]{1,8}", given) else 0
    if not SMALLEST_CONTEXT <= number <= LARGEST_CONTEXT:
        raise BadInput(
            f"“{shown(given)}” is not a context length.",
            f"Give tokens as a number from {SMALLEST_CONTEXT} to {LARGEST_CONTEXT:,}, or auto.",
        )
    return number


def name_or_nothing(text: str) -> str:
    """What clients call the model; "" for the repository's name; BadInput."""
    return model_name(text) if text else ""


def card_uuid(text: str) -> str:
    """A card as nvidia-smi -L names it, or BadInput."""
    if text.startswith("MIG-"):
        raise BadInput(
            f"{shown(text)} is a part of a divided card (MIG), which vLLM cannot be given.",
            "Name a whole card: nvidia-smi -L lists them.",
        )
    if not _CARD.fullmatch(text):
        raise BadInput(
            f"“{shown(text)}” is not the UUID of a card.",
            "Write it as nvidia-smi -L shows it: GPU- and 32 digits.",
        )
    return text


def address(text: str) -> str:
    """The IP address of a machine, or BadInput; a name may lead to 127.0.1.1."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError as error:
        raise BadInput(
            f"“{shown(text)}” is not an IP address.",
            "Give each machine's own address in the private network, such as 10.0.0.1.",
        ) from error
    if found.is_loopback or found.is_unspecified or found.is_multicast:
        raise BadInput(
            f"{found} is no address that another machine could reach.",
            "Give each machine's own address in the private network, such as 10.0.0.1.",
        )
    return str(found)


def interface_name(text: str) -> str:
    """A network card as `ip link` names it, "" for the machine's choice, or BadInput."""
    if text and not _INTERFACE.fullmatch(text):
        raise BadInput(f"“{shown(text)}” is not a network card.", "ip link lists their names.")
    return text


class SlotRequest(Frozen):
    """A model, the slot it shall run on, and how."""

    model: RepoName
    slot: Annotated[int, BeforeValidator(slot_number), Field(ge=0, lt=MOST_SLOTS)]
    context: Annotated[int | None, BeforeValidator(context_length)] = None  # None: what fits
    served_name: Annotated[str, AfterValidator(name_or_nothing)] = ""
    tensor_parallel: int = Field(default=1, ge=1, le=MOST_CARDS)  # cards for the one model
    cards: tuple[Annotated[str, AfterValidator(card_uuid)], ...] = Field(
        default=(), max_length=MOST_CARDS
    )
    quantization: Literal["", "fp8_per_tensor"] = ""  # done while the model is loaded
    kv_cache: Literal["", "fp8"] = ""  # "": as the model's own numbers
    max_num_seqs: int | None = Field(default=None, ge=1, le=4096)  # requests at the same time
    utilization: float | None = Field(default=None, ge=0.05, le=0.98)  # None: what can be had
    is_text_only: bool = False
    with_gateway: bool = True  # LiteLLM
    with_nginx: bool = True

    @model_validator(mode="after")
    def _cards_are_as_many(self) -> "SlotRequest":
        if len(set(self.cards)) != len(self.cards):
            raise BadInput("A card is named twice.", "Name each card once.")
        if self.cards and len(self.cards) != self.tensor_parallel:
            raise BadInput(
                f"{len(self.cards)} cards are named, and --tensor-parallel is "
                f"{self.tensor_parallel}.",
                "Name as many cards as that, or leave --cards away.",
            )
        return self

    @property
    def name(self) -> str:
        """What clients call the model."""
        return self.served_name or self.model.partition("/")[2]

    @property
    def title(self) -> str:
        """The job's title."""
        return f"Deploy {self.model.partition('/')[2]} on slot {self.slot}"

    @property
    def resource(self) -> str:
        """What no two deployments may work on at the same time."""
        return f"slot:{self.slot}"

    def arguments(self) -> list[str]:
        """Of the script, which never asks with them."""
        words = [self.model, str(self.slot), "--yes"]
        words += ["--max-model-len", str(self.context or "auto")]
        words += ["--served-name", self.served_name] if self.served_name else []
        words += ["--tensor-parallel", str(self.tensor_parallel)]
        words += ["--cards", ",".join(self.cards)] if self.cards else []
        words += ["--quantization", self.quantization] if self.quantization else []
        words += ["--kv-cache-dtype", self.kv_cache] if self.kv_cache else []
        words += ["--max-num-seqs", str(self.max_num_seqs)] if self.max_num_seqs else []
        words += ["--gpu-memory-utilization", f"{self.utilization:g}"] if self.utilization else []
        words += ["--text-only"] if self.is_text_only else []
        words += [] if self.with_gateway else ["--without-gateway"]
        return words + ([] if self.with_nginx else ["--without-nginx"])

    def command(self) -> list[str]:
        """The script with its arguments, as a list."""
        return ["bash", str(SCRIPT), *self.arguments()]


class NodesRequest(Frozen):
    """Several machines for one model: their addresses, the first leads."""

    count: int = Field(ge=2, le=64)
    addresses: tuple[Annotated[str, AfterValidator(address)], ...] = ()
    interface: Annotated[str, AfterValidator(interface_name)] = ""
    port: int = Field(default=HEAD_PORT, ge=1024, le=65_535)
    folder: Path = Path("berth-nodes")

    @model_validator(mode="after")
    def _each_has_an_address(self) -> "NodesRequest":
        if len(set(self.addresses)) != self.count:
            raise BadInput(
                f"{self.count} nodes need {self.count} different addresses, and "
                f"{len(set(self.addresses))} are given.",
                "List them with --addresses 10.0.0.1,10.0.0.2; the first is the head.",
            )
        return self


def wished(**fields: Any) -> SlotRequest:
    """The request of these fields; BadInput names the one that is wrong."""
    try:
        return SlotRequest(**fields)
    except ValidationError as error:
        raise _first(error) from error


def nodes_wished(**fields: Any) -> NodesRequest:
    """The same for several machines."""
    try:
        return NodesRequest(**fields)
    except ValidationError as error:
        raise _first(error) from error


def _first(error: ValidationError) -> BadInput:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = first["loc"][0] if first["loc"] else "The request"
    return BadInput(f"{where}: {first['msg']}.", "Choose another value.")

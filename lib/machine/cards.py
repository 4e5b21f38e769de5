"""The NVIDIA graphics cards of this machine: what they are, how full, how busy, and by whom.

`cards()` never raises and never waits longer than asked: a driver can hang for minutes. One look at
a time goes on, in a thread of its own, however many ask. Pages and routes do not ask here but read
what the sampler saw last: `SAMPLER.cards()`.
"""

import logging
import re
import threading
import time
from concurrent.futures import Future
from pathlib import Path

import psutil

from lib.core import words
from lib.core.values import Frozen
from lib.machine import card_troubles
from lib.machine.nvml import Code, Device, Driver, Memory, NvmlError

PATIENCE_SECONDS = 15.0  # cards that sleep are woken one after the other
LATE_SECONDS = 5.0  # a look that takes so long is worth a word
AFRESH_SECONDS = 30.0  # so often a driver that has lost a card is asked whether it is back
KERNEL = Path("/proc/driver/nvidia/gpus")

_MODEL = re.compile(r"^Model:\s*(.+?)\s*$", re.MULTILINE)
_log = logging.getLogger(__name__)


class CardProcess(Frozen):
    """A program that holds memory of a card, whoever began it."""

    pid: int
    name: str = ""  # as the system calls it; empty where it is not of this system, or over
    memory_bytes: int | None = None
    user: str = ""


class Card(Frozen):
    """One card. What it does not tell is None."""

    index: int  # in the order of the bus, which is not CUDA's own
    uuid: str = ""
    name: str
    total_bytes: int | None = None
    used_bytes: int | None = None  # by programs
    reserved_bytes: int | None = None  # by the driver; None where `used_bytes` holds it too
    free_bytes: int | None = None
    utilization_percent: int | None = None
    temperature_c: int | None = None
    power_watts: float | None = None
    power_limit_watts: float | None = None
    capability: tuple[int, int] | None = None  # CUDA's compute capability: 8.9 is (8, 9)
    is_divided: bool = False  # by MIG
    instances: tuple[str, ...] = ()  # their names, where it is divided
    is_unified: bool = False  # its memory is the machine's: the figures are of that
    processes: tuple[CardProcess, ...] = ()
    problem: str = ""
    fix: str = ""

    @property
    def key(self) -> str:
        """What it is known by from one look to the next."""
        return self.uuid or f"GPU {self.index}"


class Cards(Frozen):
    """All cards at one moment. No cards and no problem: there is no NVIDIA driver here."""

    at: float = 0.0  # epoch seconds; with a problem the figures may be older than it
    driver: str = ""  # its version
    cuda: tuple[int, int] | None = None  # the newest that the driver can serve
    cards: tuple[Card, ...] = ()
    is_wsl: bool = False
    problem: str = ""
    fix: str = ""


class Reader:
    """Looks at the cards, remembers which there were, and lets nobody wait for a driver for long.

    `kernel` is where the driver's part in the kernel lists its cards.
    """

    def __init__(self, kernel: Path = KERNEL) -> None:
        self._kernel = kernel
        self._lock = threading.Lock()
        self._under_way: tuple[Future[Cards], float] | None = None
        self._last = Cards()
        self._driver = Driver()
        self._afresh_at = 0.0
        self._known: dict[str, Card] = {}  # by UUID, as last seen

    def cards(self, patience_seconds: float = PATIENCE_SECONDS) -> Cards:
        """As they are now, or as they were seen last where that takes longer than the patience."""
        look, began = self._joined()
        try:
            return look.result(max(0.0, began + patience_seconds - time.monotonic()))
        except TimeoutError:
            return self._late(time.monotonic() - began)

    def _joined(self) -> tuple[Future[Cards], float]:
        """The look that is under way, else one that begins; and when it began."""
        with self._lock:
            if self._under_way is None:
                self._under_way = Future(), time.monotonic()
                threading.Thread(target=self._run, name="cards", daemon=True).start()
            return self._under_way

    def _run(self) -> None:
        try:
            seen = self._look()
        except Exception:  # a defect here must not cost more than the cards
            _log.exception("The graphics cards could not be read")
            seen = _troubled(card_troubles.UNREAD)
        with self._lock:
            done, self._under_way, self._last = self._under_way, None, seen
        if done is not None:
            done[0].set_result(seen)

    def _late(self, seconds: float) -> Cards:
        if seconds < LATE_SECONDS:
            return self._last
        trouble = card_troubles.late(words.duration(seconds))
        return self._last.model_copy(update=trouble._asdict())

    def _look(self) -> Cards:
        try:
            count = self._count()
        except NvmlError as error:
            self._driver.end()
            return self._without_driver(error.code)
        found = [self._card(index) for index in range(count)]
        gone = set(self._known) - {card.uuid for card in found}
        lost = [_lost(self._known[uuid], card_troubles.GONE) for uuid in sorted(gone)]
        seen = Cards(
            at=time.time(),
            driver=self._driver.version(),
            cuda=self._driver.cuda(),
            cards=(*found, *lost),
            is_wsl=card_troubles.is_wsl(),
        )
        if any(card.problem for card in seen.cards):
            self._begin_afresh_soon()
        return seen

    def _count(self) -> int:
        """How many there are; once more from the beginning where somebody has shut the driver."""
        self._driver.begin()
        try:
            return self._driver.count()
        except NvmlError as error:
            if error.code != Code.UNINITIALIZED:
                raise
        self._driver.end()
        self._driver.begin()
        return self._driver.count()

    def _begin_afresh_soon(self) -> None:
        now = time.monotonic()
        if now - self._afresh_at > AFRESH_SECONDS:
            self._afresh_at = now
            self._driver.end()

    def _card(self, index: int) -> Card:
        known = next((card for card in self._known.values() if card.index == index), None)
        usual = known or Card(index=index, name=f"GPU {index}")
        try:
            device = self._driver.device(index)
        except NvmlError as error:
            return _lost(usual, card_troubles.of_card(error.code))
        card = _read(device, usual)
        if card.uuid:
            self._known[card.uuid] = card
        return card

    def _without_driver(self, code: int) -> Cards:
        if code != Code.LIBRARY_NOT_FOUND:
            in_wsl = card_troubles.is_wsl()
            return _troubled(card_troubles.of_driver(code, in_wsl=in_wsl), is_wsl=in_wsl)
        names = kernel_names(self._kernel)
        if not names:
            return Cards(at=time.time())
        cards = [Card(index=index, name=name) for index, name in enumerate(names)]
        return _troubled(card_troubles.library_missing(", ".join(names)), cards=tuple(cards))


READER = Reader()


def cards(patience_seconds: float = PATIENCE_SECONDS) -> Cards:
    """The cards of this machine now; see `Reader.cards`."""
    return READER.cards(patience_seconds)


def kernel_names(kernel: Path) -> list[str]:
    """The cards that the driver's part in the kernel lists; empty where there is none."""
    found = []
    for file in sorted(kernel.glob("*/information")):
        try:
            model = _MODEL.search(file.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            continue
        found.append(model[1] if model else "NVIDIA GPU")
    return found


def _troubled(trouble: card_troubles.Trouble, **more: object) -> Cards:
    return Cards.model_validate({"at": time.time(), **trouble._asdict(), **more})


def _lost(card: Card, trouble: card_troubles.Trouble) -> Card:
    """What is left to say of a card that does not answer."""
    return Card(index=card.index, uuid=card.uuid, name=card.name, **trouble._asdict())


def _read(device: Device, usual: Card) -> Card:
    """All that the card tells; it keeps its usual name where it does not tell that."""
    own, is_divided = device.memory(), device.is_divided()
    is_unified = own is None and device.shares_memory() and not is_divided
    memory = _of_the_machine() if is_unified else own
    power, limit = device.power(), device.power_limit()
    card = Card(
        index=usual.index,
        uuid=device.uuid() or usual.uuid,
        name=device.name() or usual.name,
        total_bytes=memory and memory.total,
        used_bytes=memory and memory.used,
        reserved_bytes=memory and memory.reserved,
        free_bytes=memory and memory.free,
        utilization_percent=device.utilization(),
        temperature_c=device.temperature(),
        power_watts=None if power is None else power / 1e3,
        power_limit_watts=None if limit is None else limit / 1e3,
        capability=device.capability(),
        is_divided=is_divided,
        instances=device.instances() if is_divided else (),
        is_unified=is_unified,
        processes=tuple(_process(*told) for told in sorted(device.processes().items())),
    )
    trouble = card_troubles.of_card(device.trouble) if device.trouble else card_troubles.NONE
    return card.model_copy(update=trouble._asdict())


def _of_the_machine() -> Memory:
    """What a chip without memory of its own has: MemTotal and MemAvailable."""
    memory = psutil.virtual_memory()
    return Memory(memory.total, memory.total - memory.available, memory.available, None)


def _process(pid: int, memory_bytes: int | None) -> CardProcess:
    name = user = ""
    try:
        process = psutil.Process(pid)
        name, user = process.name(), process.username()
    except (psutil.Error, KeyError, OSError, ValueError):  # over, or of another pid namespace
        pass
    return CardProcess(pid=pid, name=name, user=user, memory_bytes=memory_bytes)

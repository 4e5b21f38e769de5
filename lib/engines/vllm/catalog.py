"""All models of this engine with where each is reached, under names that tell them apart.

A slot's model has its served name alone, `name@slot-1` where two slots serve one name; that of
another machine is `name@address`, whatever it is called there.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from shlex import quote
from typing import NamedTuple

from pydantic import TypeAdapter

from lib.core.errors import BerthError
from lib.core.names import ModelName
from lib.core.settings import ROOT
from lib.engines.base import Model, State, Upstream
from lib.engines.vllm import addresses, folder, keys
from lib.engines.vllm.addresses import Address
from lib.engines.vllm.places import places
from lib.engines.vllm.sight import Sight, Target, log_file
from lib.engines.vllm.standing import standing
from lib.engines.vllm.units import Found, Unit, scan
from lib.engines.vllm.watch import Watcher
from lib.fit import titles

NAME = "vllm"
_NAMES: TypeAdapter[str] = TypeAdapter(ModelName)


class Entry(NamedTuple):
    """One model, and all that is needed to ask it or to start it."""

    model: Model
    to: Upstream
    target: Target
    sight: Sight | None
    unit: Unit | None  # None: on another machine

    @property
    def is_ready(self) -> bool:
        """Can it be asked?"""
        return self.model.state == State.READY

    @property
    def is_vllm(self) -> bool:
        """Does it take what only vLLM knows?"""
        return self.unit is not None or (self.sight is not None and self.sight.is_vllm)


class Place(NamedTuple):
    """A slot or an address, and what was seen of it."""

    target: Target
    sight: Sight | None
    unit: Unit | None = None
    address: Address | None = None


class Catalog(NamedTuple):
    """Everything there is at one moment."""

    places: list[Place]
    entries: list[Entry]
    found: Found  # the services, also those that cannot be read


def catalog(watcher: Watcher) -> Catalog:
    """What is known now; waits no longer than whoever asks may."""
    found, elsewhere = scan(places()), addresses.all_addresses()
    targets = [*map(target_of, found.units), *map(_address_target, elsewhere)]
    sights = watcher.sights(targets) if targets else []
    units, kept = len(found.units), list(zip(targets, sights, strict=True))
    all_places = [
        *(Place(*seen, unit=unit) for seen, unit in zip(kept, found.units, strict=False)),
        *(Place(*seen, address=one) for seen, one in zip(kept[units:], elsewhere, strict=True)),
    ]
    return Catalog(all_places, list(_distinct(_entries(all_places))), found)


def target_of(unit: Unit) -> Target:
    """Where to look for the engine of a slot."""
    where = places()
    return Target(
        url=f"{unit.base_url}/v1",
        root=unit.base_url,
        key=keys.slot_key(unit.slot, where),
        unit=unit.name,
        home=where.root,
    )


def removal_command(slot: int) -> str:
    """What takes a slot's model, service and entries away again."""
    return f"{quote(str(ROOT / 'deploy_model.sh'))} --remove {slot}"


def _address_target(address: Address) -> Target:
    return Target(url=address.url, root=address.root, key=addresses.key_of(address.name))


def _entries(all_places: Sequence[Place]) -> Iterator[Entry]:
    served = Counter(place.unit.served_name for place in all_places if place.unit)
    for place in all_places:
        if place.unit:
            yield _of_slot(place, place.unit, is_alone=served[place.unit.served_name] == 1)
        elif place.address and place.sight:
            yield from _of_address(place, place.address, place.sight)


def _of_slot(place: Place, unit: Unit, *, is_alone: bool) -> Entry:
    target, seen, how = place.target, place.sight, standing(unit, place.sight)
    about = folder.facts(places().model(unit.model, unit.revision))
    is_ready = how.state == State.READY
    log = log_file(unit.name)
    model = Model(
        name=unit.served_name if is_alone else f"{unit.served_name}@slot-{unit.slot}",
        engine=NAME,
        state=how.state,
        size_bytes=about.size_bytes,
        quantization=about.quantization,
        context=_context(seen, unit.served_name) if is_ready else None,
        context_trained=about.context_trained,
        can_chat=about.can_chat,
        can_see=about.can_see and not unit.is_text_only,
        calls_tools=unit.calls_tools,
        thinks=unit.thinks,
        url=target.url if is_ready else "",
        started_at=seen.service.since if seen and seen.service and is_ready else None,
        problem=how.problem,
        note=how.note,
        log=str(log) if log.exists() else "",
        source=unit.model,
        title=titles.of_name(unit.model.rpartition("/")[2]),
        place=f"slot {unit.slot}",
        activity=seen.activity if seen and is_ready else "",
        remove_with=removal_command(unit.slot),
    )
    to = Upstream(base_url=target.url, model=unit.served_name, key=target.key)
    return Entry(model, to, target, seen, unit)


def _of_address(place: Place, address: Address, seen: Sight) -> Iterator[Entry]:
    """What a server elsewhere lists; what has an @ stands at a third place, and may be ours."""
    is_stuck = seen.pulse.is_stuck
    silent = f"{address.name} says that it is healthy, and no token comes." if is_stuck else ""
    away = f"{address.name} does not answer now: {seen.problem}" if seen.problem else ""
    for listed in seen.models:
        name = f"{listed.id}@{address.name}"
        if "@" in listed.id or not _is_name(name):
            continue
        model = Model(
            name=name,
            engine=NAME,
            state=State.FAILED if away or silent else State.READY,
            context=listed.context,
            can_see=True,  # nobody knows: what is wrong then, the server says
            url=address.url,
            problem=away or silent,
            source=listed.id,
            place=address.name,
            is_elsewhere=True,
            activity=seen.activity,
        )
        to = Upstream(base_url=address.url, model=listed.id, key=place.target.key)
        yield Entry(model, to, place.target, seen, None)


def _distinct(entries: Iterator[Entry]) -> Iterator[Entry]:
    """Without a second one of a name: a slot's own counts first."""
    taken: set[str] = set()
    for entry in entries:
        if entry.model.name not in taken:
            taken.add(entry.model.name)
            yield entry


def _context(seen: Sight | None, name: str) -> int | None:
    listed = seen.models if seen else ()
    return next((model.context for model in listed if model.id == name), None)


def _is_name(text: str) -> bool:
    try:
        _NAMES.validate_python(text)
    except BerthError:
        return False
    return True

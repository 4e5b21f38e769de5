"""vLLM: one systemd service per GPU slot, and servers of the OpenAI dialect on other machines.

Berth writes and removes a slot's service elsewhere; here it is found by its mark, started, stopped,
watched and asked. Servers elsewhere are only asked.
"""

import time
from collections.abc import Sequence
from typing import Any

from lib.core.errors import BadInput, BerthError, Conflict, EngineDown, EngineError, NotFound
from lib.core.names import shown
from lib.engines.base import (
    ChatOptions,
    DeltaStream,
    Health,
    Message,
    Model,
    Sampling,
    StartOptions,
    State,
    Upstream,
)
from lib.engines.messages import continued, require_sight
from lib.engines.openai_api import (
    beyond_openai,
    chat_stream,
    complete_stream,
    failed_stream,
)
from lib.engines.vllm import addresses, answers, folder, systemd
from lib.engines.vllm.catalog import NAME, Catalog, Entry, Place, catalog
from lib.engines.vllm.floors import objection
from lib.engines.vllm.places import places
from lib.engines.vllm.sight import Sight
from lib.engines.vllm.standing import cause_of, standing
from lib.engines.vllm.units import Unit
from lib.engines.vllm.watch import Watcher

LOAD_SECONDS = 4_000.0  # vLLM gives itself an hour
LOOK_SECONDS = 0.5
MOST_STOPS = 4
FIELDS = {"top_k": "top_k", "min_p": "min_p", "repeat_penalty": "repetition_penalty"}
# Only vLLM and what is built like it knows these two; a reply that is there is gone on with.
CONTINUE = {"continue_final_message": True, "add_generation_prompt": False}
ABSENT = Health(
    up=False,
    is_absent=True,
    note="No model is deployed on a GPU slot here, and no other server is named in the settings.",
)


class Vllm:
    """Every method may be called from any thread; none but start and stop waits for an engine."""

    name = NAME
    title = "vLLM"

    def __init__(self) -> None:
        self._watcher = Watcher()

    def health(self) -> Health:
        """Up where systemd or any server elsewhere answers; what is wrong is a note then."""
        try:
            return _health(catalog(self._watcher))
        except BerthError as error:
            return Health(up=False, problem=error.message, fix=error.fix)

    def models(self) -> list[Model]:
        """Every slot's model, running or not, and what servers elsewhere list."""
        return [entry.model for entry in self._entries()]

    def start(self, model: str, options: StartOptions) -> None:
        """Start its service, and return when it has made a token.

        How it is loaded is written in its service: another context needs another deployment.
        """
        entry, unit = self._own(model)
        if options.context not in (None, unit.context, entry.model.context):
            raise BadInput(
                f"The context of “{shown(model)}” is written in its service.",
                "Deploy it again with another context.",
            )
        if entry.is_ready:
            return
        tries = _begin(unit, is_broken=entry.model.state == State.FAILED)
        self._watcher.forget(entry.target)
        self._wait_until_ready(unit, entry, tries)

    def stop(self, model: str) -> None:
        """Stop its service, which lets replies that are under way come to their end."""
        entry, unit = self._own(model)
        if systemd.state(unit.name).active in ("inactive", "failed"):
            return
        systemd.stop(unit.name)
        self._watcher.forget(entry.target)

    def remove(self, model: str) -> None:
        """Stop its service for good. EngineError then names the command that takes the rest."""
        entry, unit = self._own(model)
        self.stop(model)
        systemd.disable(unit.name)
        raise EngineError(
            f"“{shown(model)}” is stopped and starts no more with the machine. Its files, its"
            " service and its entries in the gateway are still there.",
            f"To remove them, run in a terminal: {entry.model.remove_with}",
        )

    def chat(self, model: str, messages: Sequence[Message], options: ChatOptions) -> DeltaStream:
        """Answer a conversation; BadInput for more than four stop texts, which vLLM refuses."""
        try:
            entry = self._ready(model)
            require_sight(model, entry.model.can_see, messages)
            _require_few_stops(entry, options)
        except BerthError as error:
            return failed_stream(error)
        more = CONTINUE if entry.is_vllm and continued(messages) else {}
        extra, to, is_other = {**more, **_further(entry, options)}, entry.to, not entry.is_vllm
        return chat_stream(to.base_url, to.model, messages, options, to.key, extra, is_other)

    def complete(self, model: str, prompt: str, options: ChatOptions) -> DeltaStream:
        """Continue a text."""
        try:
            entry = self._ready(model)
            _require_few_stops(entry, options)
        except BerthError as error:
            return failed_stream(error)
        to, extra = entry.to, _further(entry, options)
        return complete_stream(to.base_url, to.model, prompt, options, to.key, extra)

    def count(self, model: str, text: str) -> int | None:
        """By the engine itself; other servers have no such question."""
        entry = self._find(model)
        if entry is None or not (entry.is_ready and entry.is_vllm and entry.target.root):
            return None
        return answers.count(entry.target.root, entry.to.model, entry.to.key, text)

    def usual(self, model: str) -> Sampling:
        """As the model's own folder says, which vLLM goes by; of servers elsewhere nobody knows."""
        entry = self._find(model)
        if entry is None or entry.unit is None:
            return Sampling(takes_more=entry is not None and entry.is_vllm)
        unit = entry.unit
        return folder.sampling(places().model(unit.model, unit.revision))

    def upstream(self, model: str) -> Upstream | None:
        """Where it is asked, under the name that it is served by."""
        entry = self._find(model)
        return entry.to if entry and entry.is_ready else None

    def _entries(self) -> list[Entry]:
        try:
            return catalog(self._watcher).entries
        except BerthError:
            return []

    def _find(self, model: str) -> Entry | None:
        """By its name here; else one that runs of the slots that serve this name together."""
        entries = self._entries()
        exact = [entry for entry in entries if entry.model.name == model]
        served = (e for e in entries if e.unit and e.unit.served_name == model and e.is_ready)
        return next(iter(exact), None) or next(served, None)

    def _ready(self, model: str) -> Entry:
        """EngineDown where it does not run."""
        entry = self._find(model)
        if entry is None or not entry.is_ready:
            raise EngineDown(f"“{shown(model)}” does not run.", "Start it on the Models page.")
        return entry

    def _own(self, model: str) -> tuple[Entry, Unit]:
        """One of this machine's slots, by its exact name."""
        entry = next((e for e in self._entries() if e.model.name == model), None)
        if entry is None:
            raise NotFound(f"There is no model “{shown(model)}”.", "Open Models to see which.")
        if entry.unit is None:
            raise EngineError(
                f"“{shown(model)}” runs on another machine, {entry.model.place}.",
                "Start, stop or remove it there.",
            )
        return entry, entry.unit

    def _wait_until_ready(self, unit: Unit, entry: Entry, tries: int) -> None:
        """EngineError with the cause where its first try ends."""
        give_up_at = time.monotonic() + LOAD_SECONDS
        while time.monotonic() < give_up_at:
            [seen] = self._watcher.sights([entry.target])
            how = standing(unit, seen)
            if how.state == State.READY:
                return
            if how.state in (State.STOPPED, State.STOPPING):
                raise Conflict(f"“{entry.model.name}” was stopped while it was loading.")
            if seen and _has_ended(seen, tries):
                raise _why(seen)
            if how.state == State.FAILED:
                raise EngineError(how.problem, "The end of its log says more.")
            time.sleep(LOOK_SECONDS)
        raise EngineError(
            f"“{entry.model.name}” was still loading after {LOAD_SECONDS / 60:.0f} minutes.",
            "Its log says what it waits for.",
        )


def _begin(unit: Unit, *, is_broken: bool) -> int:
    """Start the service, however it stands; how often it had started again by itself before."""
    now = systemd.state(unit.name)
    if now.gave_up:
        systemd.reset_failed(unit.name)
    if not now.is_running:
        systemd.start(unit.name)
    elif is_broken:
        systemd.restart(unit.name)
    return systemd.state(unit.name).restarts


def _has_ended(seen: Sight, tries: int) -> bool:
    """Did the engine end since, although systemd will try again?"""
    now = seen.service
    return now is not None and (now.sub == "auto-restart" or now.restarts > tries)


def _why(seen: Sight) -> EngineError:
    cause = cause_of(seen)
    if cause is not None:
        return cause.error
    return EngineError("The engine ended before it was ready.", seen.log_problem or "See its log.")


def _further(entry: Entry, options: ChatOptions) -> dict[str, Any]:
    """What vLLM takes beside OpenAI's fields; of another server nobody knows what it takes."""
    return beyond_openai(options, FIELDS) if entry.is_vllm else {}


def _require_few_stops(entry: Entry, options: ChatOptions) -> None:
    if entry.is_vllm and len(options.stop) > MOST_STOPS:
        raise BadInput(
            f"vLLM takes at most {MOST_STOPS} texts that end a reply, and these are"
            f" {len(options.stop)}.",
            "Remove some in the chat's settings.",
        )


def _health(now: Catalog) -> Health:
    wrong = [*now.found.problems.values(), *addresses.problems()]
    if not now.places and not wrong:
        return ABSENT
    notes = [*wrong, *filter(None, map(_note, now.places))]
    is_up = any(map(_answers, now.places))
    return Health(
        up=is_up,
        version=_versions(now.places),
        problem="" if is_up else "None of the slots and servers answers.",
        fix="" if is_up else "See what its models say on Models.",
        note=" ".join(notes),  # it names other machines, which is the owner's matter
    )


def _answers(place: Place) -> bool:
    seen = place.sight
    return seen is not None and (
        seen.service is not None or (bool(seen.models) and not seen.problem)
    )


def _note(place: Place) -> str:
    seen = place.sight
    if seen is None:
        return ""
    if place.address and seen.problem:
        return f"{place.address.name} ({place.address.host}): {seen.problem}"
    version = seen.version or (place.unit.vllm if place.unit else "")
    return seen.no_service or objection(version)


def _versions(all_places: Sequence[Place]) -> str:
    """Of the slots, and of servers elsewhere that are vLLM too."""
    told = [
        (place.sight.version if place.sight else "") or (place.unit.vllm if place.unit else "")
        for place in all_places
    ]
    return ", ".join(dict.fromkeys(filter(None, told)))


ENGINE = Vllm()

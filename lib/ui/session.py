"""What the session remembers: plain data, one accessor per key."""

import secrets
from typing import Any, Literal, NamedTuple, TypedDict, cast

import streamlit as st

from lib.chat.conversations import Turn
from lib.doctor.bundle import Entry


class Conversation(TypedDict):
    """A conversation; `turns` has all its branches, and `leaf` names the end of the shown one."""

    id: str
    title: str
    turns: list[Turn]
    leaf: str
    lanes: list[str]  # ids of the replies that were asked for last, one or side by side
    replaced: str  # the turn that the reply under way goes on from
    settings: dict[str, Any]
    is_handed_over: bool
    is_awaited: bool  # the browser has been asked for it and has not answered yet
    revision: str  # of the stored copy that this session read or wrote last
    changed: list[str]  # ids of turns that are not in that copy, or not as they are here
    deleted: list[Turn]  # what was deleted last, to be brought back
    unfolded: int  # how many earlier messages are shown beyond the usual


class Notice(TypedDict):
    """Something that the chat page has to say until the next action."""

    level: Literal["info", "error"]
    text: str


class DeployChoices(NamedTuple):
    """What has been chosen for one model on the deploy page; each model has choices of its own."""

    model: str
    quantization: str  # empty: the recommended one
    context: int | None  # None: what fits well
    slots: int
    engine: str
    kv_type: str

    def key(self, name: str) -> str:
        """Where a choice is kept: the key of its widget."""
        return _deploy_key(self.model, name)


class SlotChoices(NamedTuple):
    """The same for a model on graphics cards."""

    model: str
    slot: int | None  # None: the free one with most room
    context: int | None  # tokens; None: as many as fit
    max_num_seqs: int | None  # None: the usual
    tensor_parallel: int  # cards that share it
    is_text_only: bool
    has_small_cache: bool
    has_small_weights: bool
    served_name: str  # empty: the repository's
    with_gateway: bool
    with_nginx: bool

    def key(self, name: str) -> str:
        """Where a choice is kept: the key of its widget."""
        return _slot_key(self.model, name)


def conversation() -> Conversation | None:
    """The conversation that is open in this session."""
    return cast("Conversation | None", st.session_state.get("chat_conversation"))


def set_conversation(value: Conversation | None) -> None:
    """Open another conversation, or none."""
    st.session_state["chat_conversation"] = value


def chat_token() -> str:
    """What this session's chat page is known by to the socket over which it asks."""
    return str(st.session_state.setdefault("chat_token", secrets.token_hex(16)))


def notices() -> list[Notice]:
    """What the chat page has to say; clear it when the person goes on."""
    return cast("list[Notice]", st.session_state.setdefault("chat_notices", []))


def chosen_model() -> str:
    """The model the chat page asks, as `engine/name`; empty before a choice."""
    return str(st.session_state.get("chat_model") or "")


def choose_model(choice: str) -> None:
    """Preselect a model for the chat page."""
    st.session_state["chat_model"] = choice


def is_comparing() -> bool:
    """Does the chat page ask several models at once?"""
    return bool(st.session_state.get("chat_compare"))


def compared_models() -> list[str]:
    """The models that are compared, as `engine/name`, in the order in which they were chosen."""
    return list(st.session_state.get("chat_compared") or [])


def compare_models(choices: list[str]) -> None:
    """Preselect the models that are compared."""
    st.session_state["chat_compared"] = choices


def opened_details() -> str:
    """Which row of the models page shows its details."""
    return str(st.session_state.get("models_details") or "")


def open_details(key: str) -> None:
    """Show the details of one row; an empty key closes them."""
    st.session_state["models_details"] = key


def picked_models() -> list[str]:
    """The models that are chosen together on the models page, as `engine/name`."""
    return list(st.session_state.get("models_picked") or [])


def pick_models(keys: list[str]) -> None:
    """Choose these together."""
    st.session_state["models_picked"] = keys


def is_reversed() -> bool:
    """Is the list of models turned round?"""
    return bool(st.session_state.get("models_reversed"))


def turn_round(is_wanted: bool = False) -> None:
    """Turn it round, or back."""
    st.session_state["models_reversed"] = is_wanted


def asked_finding() -> str:
    """Which finding of the doctor's asks whether something may go; empty where none does."""
    return str(st.session_state.get("doctor_asks") or "")


def ask_finding(finding: str) -> None:
    """Have this one ask; an empty id closes the question."""
    st.session_state["doctor_asks"] = finding


def support() -> list[Entry]:
    """The files of the support bundle that was put together last in this session."""
    return list(st.session_state.get("support_bundle") or [])


def keep_support(entries: list[Entry]) -> None:
    """Keep them until the session ends."""
    st.session_state["support_bundle"] = entries


def adoption_chosen() -> list[str]:
    """Which of the models that were found on this machine are to be used together: their paths."""
    return list(st.session_state.get("adoption_chosen") or [])


def choose_for_adoption(paths: list[str]) -> None:
    """Choose these instead."""
    st.session_state["adoption_chosen"] = paths


def has_seen_first_steps() -> bool:
    """Were they shown in this session before all of them were done?"""
    return bool(st.session_state.get("guide_seen"))


def see_first_steps() -> None:
    """They are being shown."""
    st.session_state["guide_seen"] = True


def activity_shown() -> int:
    """How many lines of the activity were asked for; 0 for as many as usual."""
    return int(st.session_state.get("activity_shown") or 0)


def show_activity(lines: int) -> None:
    """Show so many; 0 for as many as usual."""
    st.session_state["activity_shown"] = lines


def choose_to_deploy(model: str) -> None:
    """Put a repository or a path into the deploy page's field."""
    st.session_state["deploy_model"] = model


def deploy_choices(model: str) -> DeployChoices:
    """The choices for this model as they stand."""

    def choice(name: str) -> Any:
        return st.session_state.get(_deploy_key(model, name))

    return DeployChoices(
        model=model,
        quantization=choice("quantization") or "",
        context=choice("context"),
        slots=choice("slots") or 1,
        engine=choice("engine") or "auto",
        kv_type=choice("kv_type") or "f16",
    )


def _deploy_key(model: str, name: str) -> str:
    return f"deploy {name} {model}"


def slot_choices(model: str) -> SlotChoices:
    """The choices for this model on graphics cards as they stand."""

    def choice(name: str, otherwise: Any = None) -> Any:
        return st.session_state.get(_slot_key(model, name), otherwise)

    return SlotChoices(
        model=model,
        slot=choice("slot"),
        context=choice("context"),
        max_num_seqs=choice("max_num_seqs"),
        tensor_parallel=choice("tensor_parallel") or 1,
        is_text_only=bool(choice("is_text_only")),
        has_small_cache=bool(choice("has_small_cache")),
        has_small_weights=bool(choice("has_small_weights")),
        served_name=str(choice("served_name") or "").strip(),
        with_gateway=bool(choice("with_gateway", True)),
        with_nginx=bool(choice("with_nginx", True)),
    )


def _slot_key(model: str, name: str) -> str:
    return f"slot {name} {model}"


def watched_job() -> str:
    """The deployment that the address names; empty where none is."""
    return str(st.query_params.get("job", ""))


def watch_job(job_id: str) -> None:
    """Show a deployment; whoever opens the page's address sees it too."""
    st.query_params["job"] = job_id


def owner() -> str:
    """The browser's id that the gate vouches for; replies belong to it."""
    return str(st.user.to_dict().get("who") or "")

"""Finding a model: the field, the Hub's card of it, searches, and what to do where that fails."""

import time
from pathlib import Path
from urllib.parse import unquote

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from lib import hub
from lib.core import words
from lib.core.errors import BadInput, BerthError, NetworkError
from lib.core.names import shown
from lib.engines.room import room_now
from lib.fit.memory import COMFORTABLE
from lib.fit.quantizations import LADDER, estimated_bytes
from lib.hub import Card, Found, Reference
from lib.hub.errors import HubFailed, RateLimited, RepositoryNotFound
from lib.machine.sampler import SAMPLER
from lib.ui import adoption_view, markdown
from lib.ui.deploy import token_form, trouble, without_network
from lib.ui.session import choose_to_deploy
from lib.ui.waiting import interruptible

LOCAL = "file://"
TYPING_PAUSE = "400ms"
SHOWN, MOST_SHOWN = 8, 40
USUAL = "Q4_K_M"  # what a size is given for, where a repository has many
OVERHEAD_BYTES = 2**29  # context, working memory and the engine itself, roughly
HAS_GGUF, FITS, IS_OPEN = "Has GGUF files", "Fits this machine", "Open to all"
LICENCES = ("apache-2.0", "mit", "llama3.1", "llama3.2", "gemma", "other")
SIZES_GB = (1, 2, 4, 8, 16)


def field() -> str:
    """What somebody typed or pasted; searched for while they type."""
    return st.text_input(
        "Model",
        key="deploy_model",
        type="search",
        live=TYPING_PAUSE,
        placeholder="organisation/name, an address, a few words, or the path of a GGUF file",
        help="The name of a repository on the Hugging Face Hub, the address of its page, words to "
        "search for, or the whole path of a .gguf file on this machine.",
        persist_state="session",
    ).strip()


def is_path(text: str) -> bool:
    """Does it look like a file of this machine?"""
    return text.startswith(("/", "~", LOCAL))


def full_path(text: str) -> str:
    """The file, with its whole path."""
    path = unquote(text.removeprefix(LOCAL)) if text.startswith(LOCAL) else text
    try:
        return str(Path(path).expanduser().absolute())
    except RuntimeError as error:
        what = f"{shown(path)} begins with nobody's home."
        raise BadInput(what, "Give the whole path.") from error


def found(text: str) -> tuple[Reference, Card] | None:
    """The repository that was meant, or None: then the way to one is on the page."""
    reference = hub.parse_reference(text)
    if not reference.repo:
        results(reference.words)
        return None
    try:
        with st.spinner("Looking it up …", show_time=True):
            return reference, interruptible(hub.look_up, reference.repo, reference.revision)
    except RepositoryNotFound as error:
        _not_found(error, reference)
    return None


def problem(error: BerthError) -> None:
    """What went wrong and what to do; without a network, what works all the same."""
    trouble.draw(error)
    if isinstance(error, NetworkError) and not isinstance(error, RateLimited | HubFailed):
        without_network.draw()


def _not_found(error: BerthError, reference: Reference) -> None:
    """It may be half typed, mistyped, or hidden: what is near, then the token."""
    st.warning(trouble.words_of(error), icon=":material/search_off:")
    with st.expander("It is private or gated: use a Hub token", key="deploy_token_fold"):
        token_form.form()
    results(reference.repo.partition("/")[2], heading="Did you mean one of these?")


def results(wanted: str, heading: str = "") -> None:
    """Repositories with these words in their name, most used first, each with a button."""
    top, place = st.container(), st.empty()
    with place.container():
        chosen, licence, size = _filters()
    try:
        rows = interruptible(
            hub.search,
            wanted,
            has_gguf=HAS_GGUF in chosen,
            is_open=IS_OPEN in chosen,
            licence=licence or "",
            limit=MOST_SHOWN,
        )
    except (NetworkError, BadInput) as error:
        place.empty()  # of filters for what did not come nobody has anything
        return problem(error)
    room_bytes = _room_bytes() if FITS in chosen else None
    rows = [row for row in rows if _passes(row, size, room_bytes)]
    if heading and rows:
        top.markdown(f"**{heading}**")
    if not rows:
        st.caption("No repository has this in its name. Try fewer words or fewer filters.")
    for row in rows[: _shown()]:
        _result(row)
    if len(rows) > _shown():
        st.button(f"Show all {len(rows)}", type="tertiary", key="deploy_more")
    return None


def _shown() -> int:
    return MOST_SHOWN if st.session_state.get("deploy_more") else SHOWN


def _filters() -> tuple[list[str], str | None, int | None]:
    """Kinds, licence, and the largest download in GB."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kinds = st.pills(
            "Show only",
            [HAS_GGUF, FITS, IS_OPEN],
            selection_mode="multi",
            default=[FITS] if SAMPLER.cards().cards else [HAS_GGUF, FITS],
            key="deploy_kinds",
        )
        licence = st.selectbox(
            "Licence", LICENCES, index=None, placeholder="Any", width=150, key="deploy_licence"
        )
        size = st.selectbox(
            "Download",
            SIZES_GB,
            index=None,
            placeholder="Any size",
            format_func=lambda gigabytes: f"up to {gigabytes} GB",
            width=150,
            key="deploy_size",
        )
    return list(kinds), licence, size


def _passes(row: Found, size_gb: int | None, room_bytes: float | None) -> bool:
    """Small enough; one whose size is not known passes unless a size was chosen."""
    if row.parameters is None:
        return size_gb is None
    if size_gb is not None and estimated_bytes(row.parameters, USUAL) > size_gb * 10**9:
        return False
    smallest = estimated_bytes(row.parameters, LADDER[-2]) + OVERHEAD_BYTES
    return room_bytes is None or smallest <= room_bytes


def _room_bytes() -> float:
    """What a model could have: of the memory, or of the graphics card with most room."""
    on_cards = [card.free_bytes or 0 for card in SAMPLER.cards().cards]
    return max(COMFORTABLE * room_now().free_bytes, *on_cards, 0)


def _result(row: Found) -> None:
    with (
        st.container(border=True, key=f"found-{row.id}"),
        st.container(horizontal=True, vertical_alignment="center"),
    ):
        with st.container(gap=None, width="stretch"):
            st.markdown(f"**{markdown.plain(row.id)}**")
            st.caption(_facts(row))
        st.button("Choose", key=f"choose-{row.id}", on_click=choose_to_deploy, args=(row.id,))


def _facts(row: Found) -> str:
    """`1.2 B parameters · about 0.8 GB as Q4_K_M · apache-2.0 · 5,120 downloads · gated`."""
    size = row.parameters and words.disk(estimated_bytes(row.parameters, USUAL))
    parts = [
        f"{parameters(row.parameters)} parameters" if row.parameters else "",
        f"about {size} as {USUAL}" if size else "",
        markdown.plain(row.licence),
        f"{row.downloads:,} downloads",
        "gated" if row.gated else "",
    ]
    return " · ".join(part for part in parts if part)


def parameters(number: int) -> str:
    """`1.2 B`, `630 M`."""
    return f"{number / 1e9:.1f} B" if number >= 10**9 else f"{number / 1e6:.0f} M"


def card(about: Card, place: DeltaGenerator) -> None:
    """Who made it, how large it is, under which licence, who may have it."""
    parts = [
        f"{parameters(about.parameters)} parameters" if about.parameters else "",
        markdown.plain(about.architecture),
        f"licence {markdown.plain(about.licence)}" if about.licence else "no licence named",
        f"trained for context {about.context_length:,}" if about.context_length else "",
        f"{about.downloads:,} downloads in a month",
        "gated" if about.gated else "open to all",
        "private" if about.is_private else "",
    ]
    colour = ":gray[{}]" if about.is_stale else "{}"
    with place.container(border=True, gap="xsmall", key="deploy_card"):
        st.markdown(colour.format(f"**[{markdown.plain(about.id)}]({about.url})**"))
        st.caption(" · ".join(part for part in parts if part))
        if about.is_stale:
            age = words.ago(about.checked_at, time.time())
            st.caption(f":material/cloud_off: As the Hub said {age}; it cannot be reached now.")


def sources(base: str, used: str) -> None:
    """The repositories that have the model as GGUF files, where its own has none."""
    said = f"It has no GGUF files of its own; those of **{markdown.plain(used)}** are used"
    with st.expander(said, icon=":material/account_tree:", key="deploy_sources"):
        for row in interruptible(hub.gguf_repositories, base):
            mark = "● **{}** (used)" if row.id == used else "○ {}"
            st.markdown(mark.format(markdown.plain(row.id)))
            st.caption(_facts(row))


def invitation() -> None:
    """What stands here before anything was typed."""
    st.caption(
        "Berth shows what a model needs, whether it fits this machine and how fast it can be, "
        "before a byte is downloaded."
    )
    if st.session_state.get("deploy_popular") or st.button(
        "Show the most used models", icon=":material/trending_up:", key="deploy_show_popular"
    ):
        st.session_state["deploy_popular"] = True
        results("")
    elif rows := adoption_view.usable():
        st.markdown("**On this machine already**")
        adoption_view.few(rows)

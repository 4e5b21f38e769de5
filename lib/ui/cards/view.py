"""Each graphics card with all its figures, and who uses it."""

from collections.abc import Iterator, Mapping

import streamlit as st

from lib.core import words
from lib.core.access import Action, may
from lib.fleet.on_cards import model_names
from lib.machine.cards import Card, CardProcess, Cards
from lib.machine.sampler import SAMPLER
from lib.ui import listing, markdown
from lib.ui.cards.lines import counted, held, titles

REFRESH_SECONDS = 2.0
SHOWN_PROCESSES = 6
UNTOLD_BYTES = 2**30  # so much memory in use without a known program is worth a word


def section() -> None:
    """All that is known of each card, kept up to date."""
    seen = SAMPLER.cards()
    if seen.cards or seen.problem:
        st.header("Graphics cards")
        _live()


@st.fragment(run_every=REFRESH_SECONDS)
def _live() -> None:
    seen = SAMPLER.cards()
    if seen.problem:
        _trouble(seen.problem, seen.fix)
        if seen.cards and seen.driver:
            st.caption(f"Below is what it said {words.ago(seen.at)}.")
    if about := _driver(seen):
        st.caption(markdown.plain(about))
    models = _models(seen)
    for pair in _pairs(list(zip(titles(seen.cards), seen.cards, strict=True))):
        places = st.columns(2) if len(seen.cards) > 1 else [st.container()]
        for place, (title, card) in zip(places, pair, strict=False):
            with place, st.container(border=True, height="stretch"):
                _card(title, card, models)


def _pairs(named: list[tuple[str, Card]]) -> Iterator[list[tuple[str, Card]]]:
    for first in range(0, len(named), 2):
        yield named[first : first + 2]


def _models(seen: Cards) -> Mapping[int, str] | None:
    """Names of models by pid; None for guests, who do not see what else runs on the machine."""
    if not may(Action.DEPLOY):
        return None
    is_used = any(card.processes for card in seen.cards)
    return model_names(seen.cards, listing.models()) if is_used else {}


def _driver(seen: Cards) -> str:
    """`Driver 580.95.05 · CUDA 13.0`."""
    cuda = seen.cuda and f"CUDA {seen.cuda[0]}.{seen.cuda[1]}"
    driver = seen.driver and f"Driver {seen.driver}"
    return " · ".join(part for part in (driver, cuda, seen.is_wsl and "WSL") if part)


def _trouble(problem: str, fix: str) -> None:
    st.error(f"**{markdown.plain(problem)}** {markdown.plain(fix)}", icon=":material/error:")


def _card(title: str, card: Card, models: Mapping[int, str] | None) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{markdown.plain(title)}**", width="content")
        for text in _kinds(card):
            st.badge(text, color="gray")
    if card.problem:
        _trouble(card.problem, card.fix)
        return
    _memory(card)
    if figures := _figures(card):
        st.caption(markdown.plain(figures))
    if card.is_divided:
        parts = counted([name.rpartition(" MIG ")[2] for name in card.instances])
        into = markdown.plain(parts or "MIG instances")
        st.caption(f"Divided into {into}: no model is put here.")
    if models is not None:
        _processes(card, models)


def _kinds(card: Card) -> Iterator[str]:
    if card.is_divided:
        yield "Divided (MIG)"
    if card.is_unified:
        yield "Shares the machine's memory"


def _memory(card: Card) -> None:
    """`18.2 of 24.0 GiB used, 5.8 GiB free (431 MiB reserved)`, by the driver, over a bar."""
    if card.used_bytes is None or not card.total_bytes:
        st.caption("It does not tell how full it is.")
        return
    text = f"{held(card) / 2**30:.1f} of {card.total_bytes / 2**30:.1f} GiB used"
    if card.free_bytes is not None:
        text += f", {words.memory(card.free_bytes)} free"
    if card.reserved_bytes:
        text += f" ({words.memory(card.reserved_bytes)} reserved)"
    st.progress(min(held(card) / card.total_bytes, 1.0), text=text)


def _figures(card: Card) -> str:
    """`87 % busy · 64 °C · 310 of 450 W · compute capability 8.9`, of these what it tells."""
    watts, limit, can = card.power_watts, card.power_limit_watts, card.capability
    figures = (
        (card.utilization_percent, f"{card.utilization_percent} % busy"),
        (card.temperature_c, f"{card.temperature_c} °C"),
        (watts, f"{watts or 0:.0f} {f'of {limit:.0f} ' if limit else ''}W"),
        (can, f"compute capability {can[0]}.{can[1]}" if can else ""),
    )
    return " · ".join(text for value, text in figures if value is not None)


def _processes(card: Card, models: Mapping[int, str]) -> None:
    """Who holds its memory, the greatest first: models by name, then what is not Berth's."""
    found = sorted(card.processes, key=lambda process: -(process.memory_bytes or 0))
    lines = [_process(process, models) for process in found[:SHOWN_PROCESSES]]
    if more := found[SHOWN_PROCESSES:]:
        left = sum(process.memory_bytes or 0 for process in more)
        lines.append(f":small[:gray[and {len(more)} more, {words.memory(left)}]]")
    if not found and (card.used_bytes or 0) > UNTOLD_BYTES and not card.is_unified:
        lines.append(":small[:gray[The driver does not tell which programs hold its memory.]]")
    if lines:
        st.markdown("  \n".join(lines))


def _process(process: CardProcess, models: Mapping[int, str]) -> str:
    """`qwen2.5-7b · 15.2 GiB`; of others than Berth's models also whose they are."""
    size = "memory not told"
    if process.memory_bytes is not None:
        size = words.memory(process.memory_bytes)
    if model := models.get(process.pid):
        return f"**{markdown.plain(model)}** · {size}"
    name = process.name or "A program outside this system"
    whose = f"user {process.user}, " if process.user else ""
    about = markdown.plain(f"not Berth's, {whose}pid {process.pid}")
    return f"{markdown.plain(name)} · {size} · :small[:gray[{about}]]"

"""The numbers of the settings dialog: what each means, and what holds where none is typed."""

from lib.core import access
from lib.core.access import Role
from lib.core.preferences import preferences
from lib.engines import engine_of
from lib.engines.base import Model, Sampling
from lib.ui.chat.settings_fields import Number

UNKNOWN = "As the engine has it"
NOT_SENT = (
    "Nobody knows whether this server takes top-k, min-p and a repetition penalty: they are not "
    "sent to it."
)
BEYOND = ("top_k", "min_p", "repeat_penalty")  # OpenAI's dialect
FIELDS = {  # label, step, range and meaning
    "temperature": (
        "Temperature",
        0.1,
        "0 to 2: how freely the next word is chosen. 0 always takes the likeliest, above 1 it "
        "gets wild.",
    ),
    "max_tokens": (
        "Max tokens",
        1,
        "1 to 1,000,000: the longest a reply may get. A token is about three quarters of an "
        "English word.",
    ),
    "top_p": (
        "Top-p",
        0.05,
        "Above 0 to 1: only the likeliest words that together have this share of the probability "
        "are considered.",
    ),
    "repeat_penalty": (
        "Repetition penalty",
        0.05,
        "0.5 to 2: above 1, words that were just said become less likely. 1.1 helps a small model "
        "that repeats itself; 1 means none.",
    ),
    "top_k": (
        "Top-k",
        1,
        "0 to 1,000: so many of the likeliest words are considered; 0 means all.",
    ),
    "min_p": (
        "Min-p",
        0.01,
        "0 to 1: words are left out that have less than this share of the likeliest one's "
        "probability.",
    ),
    "seed": (
        "Seed",
        1,
        "0 to 2,147,483,647: the same number with the same question gives the same answer again.",
    ),
}


def of(model: Model) -> dict[str, Number]:
    """Every field, with the value that this model has of itself."""
    usual = engine_of(model).usual(model.name)
    return {name: _number(name, model, usual) for name in FIELDS}


def _number(name: str, model: Model, usual: Sampling) -> Number:
    label, step, about = FIELDS[name]
    is_off = name in BEYOND and not usual.takes_more
    return Number(name, label, step, about, _usual(name, model, usual), is_off)


def _usual(name: str, model: Model, usual: Sampling) -> str:
    """`0.8`, as it stands in grey."""
    if name == "max_tokens":
        return _longest(model)
    if name == "seed":
        return "Another one each time"
    value = getattr(usual, name)
    return UNKNOWN if value is None else f"{value:g}"


def _longest(model: Model) -> str:
    """Guests have a limit; an engine ends a reply where its context is full."""
    if access.role() == Role.GUEST:
        return f"{preferences().guests.tokens_per_reply}"
    if model.is_elsewhere:
        return UNKNOWN
    return "As far as the context goes"

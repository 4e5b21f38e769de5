"""What is told of a failed deployment: its cause, the line that shows it, and what one can do."""

from enum import StrEnum
from typing import NamedTuple

from lib.core.values import Frozen

LONGEST_LINE = 300


class Action(StrEnum):
    """What one press could do about it."""

    RETRY = "retry"
    RETRY_WITH_CONTEXT = "retry_with_context"  # argument: tokens
    OTHER_QUANTIZATION = "other_quantization"  # argument: its name, or "" for any other
    SIGN_IN = "sign_in"  # with a Hub token
    FREE_SPACE = "free_space"
    OTHER_PORT = "other_port"
    INSTALL_ENGINE = "install_engine"
    FREE_CARD = "free_card"  # stop what runs on slots
    FEWER_REQUESTS = "fewer_requests"  # argument: how many at a time
    HALVE_WEIGHTS = "halve_weights"  # argument: how they are quantized while they are loaded
    NONE = "none"


class Diagnosis(Frozen):
    """A failure in words."""

    cause: str
    line: str  # of the log, that told
    fix: str
    action: Action
    argument: str = ""


class Known(NamedTuple):
    """A failure; the pattern's groups fill the sentences, its group `argument` the action's."""

    pattern: str
    cause: str
    fix: str
    action: Action

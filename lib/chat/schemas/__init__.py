"""JSON schemas that hold: rewritten for the built-in engine, and told where only a check holds."""

from lib.chat.schemas.flat import UnusableError
from lib.chat.schemas.plain import is_plain
from lib.chat.schemas.rewriting import ImpossibleError, Rewriting, rewritten
from lib.chat.schemas.saving import notes, unenforced
from lib.chat.schemas.work import Loose

__all__ = [
    "ImpossibleError",
    "Loose",
    "Rewriting",
    "UnusableError",
    "is_plain",
    "notes",
    "rewritten",
    "unenforced",
]

"""Names that people, files and models give, checked once at the edge."""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from lib.core.errors import BadInput

LONGEST = 200
LONGEST_PATH = 500
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+-]*(/[A-Za-z0-9][A-Za-z0-9._:@+-]*)*")
_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*(/[A-Za-z0-9][A-Za-z0-9._+-]*)*")
_ODD = re.compile(r"[^A-Za-z0-9._+-]+|\.{2,}")


def model_name(text: str) -> str:
    """The name as given, or BadInput: letters, digits and `. _ : @ + -`, parts divided by `/`."""
    if len(text) > LONGEST:
        raise BadInput(
            f"This model name has {len(text):,} characters.", f"A name has at most {LONGEST}."
        )
    if not _NAME.fullmatch(text) or ".." in text:
        raise BadInput(
            f"“{shown(text)}” is not a model name.",
            "Use letters, digits and . _ : @ + - with parts divided by /.",
        )
    return text


def repo_name(text: str) -> str:
    """A repository on the Hub, `organisation/name`, or BadInput."""
    if not _REPO.fullmatch(text) or ".." in text or "--" in text:
        raise BadInput(
            f"“{shown(text)}” is not a repository name.",
            "Write it as organisation/name, for example Qwen/Qwen2.5-0.5B-Instruct-GGUF.",
        )
    return text


def revision_name(text: str) -> str:
    """A branch, tag or commit of a repository (`main`, `refs/pr/3`), or BadInput."""
    if len(text) > LONGEST or ".." in text or not _REVISION.fullmatch(text):
        raise BadInput(
            f"“{shown(text)}” is not a revision.",
            "Use main, or the name of a branch, tag or commit.",
        )
    return text


def file_path(text: str) -> str:
    """A file's path in a repository, which stays below the folder it is joined to, or BadInput."""
    is_plain = text.isascii() and text.isprintable()
    is_visible = is_plain or all(unicodedata.category(one)[0] != "C" for one in text)
    is_below = "\\" not in text and all(part not in ("", ".", "..") for part in text.split("/"))
    if not (is_visible and is_below and len(text) <= LONGEST_PATH):
        raise BadInput(
            f"“{shown(text)}” is not the path of a file in a repository.",
            "Use the path that its page on the Hub shows.",
        )
    return text


def shown(text: str, limit: int = 60) -> str:
    """`text` safe to print: control and direction marks replaced, cut to `limit` characters."""
    clean = "".join("\ufffd" if unicodedata.category(c)[0] == "C" else c for c in text[: limit + 1])
    return clean if len(text) <= limit else f"{clean[:limit]}…"


def slug(text: str) -> str:
    """A valid model name made from a file's name."""
    return _ODD.sub("-", text).strip("-._+")[:LONGEST] or "model"


def _described(pattern: re.Pattern[str], longest: int) -> WithJsonSchema:
    """The same for whoever reads a description; anchored, and without `..`."""
    told = {"type": "string", "maxLength": longest, "pattern": rf"^(?!.*\.\.){pattern.pattern}$"}
    return WithJsonSchema(told)


ModelName = Annotated[str, AfterValidator(model_name), _described(_NAME, LONGEST)]
RepoName = Annotated[str, AfterValidator(repo_name), _described(_REPO, LONGEST)]

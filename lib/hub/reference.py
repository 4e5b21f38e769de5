"""What somebody typed or pasted into the model field: a repository, an address, or words."""

import re
import unicodedata
from collections.abc import Sequence
from urllib.parse import parse_qs, unquote, urlsplit

from lib.core.errors import BadInput
from lib.core.names import (
    file_path,
    repo_name,
    revision_name,
    shown,
)
from lib.core.settings import settings
from lib.core.values import Frozen
from lib.fit.file_names import quantization_of

LONGEST = 1_000
LONGEST_WORDS = 200
_HOSTS = {"huggingface.co", "www.huggingface.co", "hf.co", "www.hf.co"}
_OTHER_PAGES = {"datasets", "spaces", "docs", "blog", "papers", "collections", "posts", "settings"}
_COMMAND = re.compile(  # as model pages offer them for copying
    r"(?:ollama (?:run|pull)|docker model (?:run|pull)|llama-\w+ (?:-hf|--hf-repo)|vllm serve"
    r"|(?:hf|huggingface-cli) download|git clone)\s+[\"']?([^\s\"']+)",
    re.IGNORECASE,
)
_WORDS = re.compile(r"\w[\w .:+-]*")
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_TOKEN = re.compile(r"hf_[A-Za-z0-9]{20,}")


class Reference(Frozen):
    """Either a repository, with what else was said about it, or words to search for."""

    repo: str = ""
    revision: str = "main"
    path: str = ""  # of a file or folder in it
    quantization: str = ""  # in capitals, as far as one was named
    words: str = ""

    @property
    def key(self) -> str:
        """The repository, and what else was said: another text for whatever means another file."""
        what = self.path or self.quantization
        more = f"@{self.revision}:{what}" if what or self.revision != "main" else ""
        return f"{self.repo}{more}"


def parse_reference(text: str) -> Reference:
    """What the text refers to; BadInput says why it cannot be anything.

    Understood are `organisation/name`, with `:Q4_K_M` or `:file.gguf` behind it, addresses of pages
    and files on the Hub or its mirror, the commands that model pages offer, and words.
    """
    given = " ".join(text.split())
    _check(given)
    command = _COMMAND.match(given)
    given = command[1] if command else given
    if "://" in given or given.partition("/")[0].lower() in _hosts():
        return _from_address(given)
    if "/" in given or "\\" in given:
        return _from_segments(given.split("/"), {})
    return _from_words(given)


def _check(text: str) -> None:
    if not text:
        raise BadInput("Nothing was given.", "Type a model's name, its address or a few words.")
    if len(text) > LONGEST:
        raise BadInput(f"This has {len(text):,} characters.", "A name or an address is shorter.")
    if _TOKEN.search(text):
        raise BadInput("This holds a Hub token.", "Keep it out of here: it has a field of its own.")
    if any(unicodedata.category(character)[0] == "C" for character in text):
        raise BadInput(
            f"“{shown(text)}” has characters that cannot be seen.", "Type it instead of pasting it."
        )


def _hosts() -> set[str]:
    return {*_HOSTS, urlsplit(settings().hf_endpoint).netloc.lower()}


def _from_address(text: str) -> Reference:
    """A page or a file of the Hub, or of the mirror that HF_ENDPOINT names."""
    try:
        address = urlsplit(text if "://" in text else f"https://{text}")
    except ValueError as error:
        raise BadInput(f"“{shown(text)}” is not an address.", "Copy it again.") from error
    if address.scheme not in ("http", "https") or address.netloc.lower() not in _hosts():
        raise BadInput(
            f"“{shown(text)}” is not on the Hugging Face Hub.",
            "Paste the address of a model's page there, or type organisation/name.",
        )
    folder = urlsplit(settings().hf_endpoint).path.strip("/")
    path = address.path.strip("/").removeprefix(folder).strip("/")
    segments = [unquote(segment) for segment in path.split("/")]
    return _from_segments(segments, parse_qs(address.query))


def _from_segments(segments: Sequence[str], query: dict[str, list[str]]) -> Reference:
    """The parts of an address' path: the repository, a kind of page, a revision, a path."""
    if segments[0] in _OTHER_PAGES:
        raise BadInput(
            f"“{shown('/'.join(segments))}” is not a model.", "Paste the address of a model's page."
        )
    if list(segments[:2]) == ["api", "models"]:
        segments = segments[2:]
    if len(segments) < 2:
        return _from_words(query.get("search", [""])[0] or "".join(segments))
    name, _, tag = segments[1].partition(":")
    repo = repo_name(f"{segments[0]}/{name}")
    if tag:
        return _tagged(repo, tag)
    kind, *rest = *segments[2:], ""
    if kind in ("tree", "blob", "resolve", "raw", "commit") and rest[0]:
        return _inside(repo, rest[0], "/".join(rest[1:]))
    return _inside(repo, "main", query.get("show_file_info", [""])[0])


def _tagged(repo: str, tag: str) -> Reference:
    """As Ollama and llama.cpp write it: the tag is a quantization, or a whole file name."""
    if not _TAG.fullmatch(tag):
        raise BadInput(
            f"“{shown(tag)}” is not a quantization.", "Write organisation/name:Q4_K_M, for example."
        )
    if tag.lower().endswith(".gguf"):
        return _inside(repo, "main", tag)
    return Reference(repo=repo, quantization="" if tag.lower() == "latest" else tag.upper())


def _inside(repo: str, revision: str, path: str) -> Reference:
    path = path.strip("/")
    return Reference(
        repo=repo,
        revision=revision_name(revision),
        path=file_path(path) if path else "",
        quantization=quantization_of(path),
    )


def _from_words(text: str) -> Reference:
    if len(text) > LONGEST_WORDS or not _WORDS.fullmatch(text):
        raise BadInput(
            f"“{shown(text)}” is neither a name nor words to search for.",
            "Use letters, digits, spaces and . _ - +, or paste the address of a model's page.",
        )
    return Reference(words=" ".join(text.replace(":", " ").split()))

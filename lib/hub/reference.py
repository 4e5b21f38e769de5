"""What somebody typed or pasted into the model field: a repository, an address, or words."""

import contextlib
import re
import unicodedata
from collections.abc import Sequence
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from lib.core.errors import BadInput
from lib.core.names import (
    file_path,
    repo_name,
    revision_name,
    shown,
)
from lib.core.settings import settings
from lib.core.values import Frozen
from lib.fit.file_names import is_projector
from lib.fit.quantizations import quality
from lib.fit.storage_names import quantization_of
from lib.hub import commands, wrappings
from lib.hub.commands import Named

LONGEST = 1_000
LONGEST_WORDS = 200
_HOSTS = {"huggingface.co", "www.huggingface.co", "hf.co", "www.hf.co"}
_OTHER_PAGES = {"datasets", "spaces", "docs", "blog", "papers", "collections", "posts", "settings"}
_WORDS = re.compile(r"\w[\w .:+-]*")
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SHORT = re.compile(r"I?Q\d(?:_\w+)?", re.IGNORECASE)  # a quantization, known or not
_SCHEMES = ("hf", "huggingface", "lmstudio", "jan", "msty")
_PAGES = ("tree", "blob", "resolve", "raw", "commit", "commits", "blame", "edit", "revision")
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

    Understood are `organisation/name`, with `:Q4_K_M`, `:file.gguf` or `/file.gguf` behind it,
    addresses of pages and files on the Hub or its mirror, the commands and the code that pages and
    tools offer for copying, and words.
    """
    _check(" ".join(text.split()))
    lines = [" ".join(line.split()) for line in commands.lines_of(text)]
    given = " ".join(lines) or " ".join(text.split())
    for line in (*lines, given):
        found = commands.named(line)
        if found:
            return _from_command(found)
    code = commands.in_code(given)
    return _from_command(code) if code else _from_name(_bare(given))


def _bare(given: str) -> str:
    """A name or an address as it is; words are left as they were typed."""
    found = wrappings.bare(given)
    return found if "/" in found else given


def _from_command(found: Named) -> Reference:
    """The model of a command, with the file and the revision that its options name."""
    reference = _from_name(found.model)
    if not reference.repo:
        return reference
    revision = revision_name(found.revision) if found.revision else reference.revision
    files = [path for path in found.files if not is_projector(path)] or list(found.files)
    wanted = [path for path in files if path.lower().endswith(".gguf")]
    wanted = wanted or [path for path in files if quantization_of(path)] or files
    if not wanted or reference.path:
        return reference.model_copy(update={"revision": revision})
    return _inside(reference.repo, revision, wanted[0])


def _from_name(given: str) -> Reference:
    """A name, an address or words."""
    two = given.split(" ")
    is_file = len(two) == 2 and two[1].lower().endswith(".gguf") and "://" not in two[1]
    if is_file and "/" in two[0]:
        return _from_command(Named(two[0], (two[1],)))  # the repository, then the file
    if "://" in given and wrappings.is_wrapped(given) and (found := _in_a_text(given)):
        return found
    if "://" in given or given.partition("/")[0].lower() in _hosts():
        return _from_address(given)
    if "/" in given or "\\" in given:
        return _from_segments(given.split("/"), {})
    return _from_words(given)


def _in_a_text(text: str) -> Reference | None:
    """What the addresses of the Hub in it refer to; BadInput where that is more than one model."""
    found: dict[str, Reference] = {}
    for address in wrappings.addresses(text):
        with contextlib.suppress(ValueError):
            if urlsplit(address).netloc.lower() in _hosts():
                reference = _from_address(address)
                found.setdefault(reference.key, reference)
    exact = [one for one in found.values() if one.path or one.quantization] or [*found.values()]
    if len({one.repo for one in found.values()}) > 1 or len(exact) > 1:
        names = " and ".join([one.path or one.repo for one in exact][:2])
        raise BadInput(f"This names more than one: {shown(names, LONGEST_WORDS)}.", "Paste one.")
    return exact[0] if exact else None


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
        query = parse_qs(address.query)
    except ValueError as error:
        raise BadInput(f"“{shown(text)}” is not an address.", "Copy it again.") from error
    if address.scheme in _SCHEMES:
        return _from_scheme(address, query)
    if address.scheme not in ("http", "https") or address.netloc.lower() not in _hosts():
        raise BadInput(
            f"“{shown(text)}” is not on the Hugging Face Hub.",
            "Paste the address of a model's page there, or type organisation/name.",
        )
    folder = urlsplit(settings().hf_endpoint).path.strip("/")
    path = address.path.strip("/").removeprefix(folder).strip("/")
    segments = [unquote(segment) for segment in path.split("/")]
    return _from_segments(segments, query, is_page=True)


def _from_scheme(address: SplitResult, query: dict[str, list[str]]) -> Reference:
    """`hf://organisation/name@revision/file` and what other tools open models by."""
    if "model" in query:  # lmstudio://open_from_hf?model=…&file=…
        return _from_command(Named(query["model"][0], tuple(query.get("file", []))))
    path = f"{address.netloc}/{address.path}".strip("/")
    segments = [
        unquote(part) for part in path.split("/") if part not in ("", "models", "huggingface")
    ]
    return _from_segments(segments, query)


def _from_segments(
    segments: Sequence[str], query: dict[str, list[str]], *, is_page: bool = False
) -> Reference:
    """The parts of an address' path: the repository, a kind of page, a revision, a path."""
    if segments and segments[0] in _OTHER_PAGES:
        raise BadInput(
            f"“{shown('/'.join(segments))}” is not a model.", "Paste the address of a model's page."
        )
    is_asked = list(segments[:1]) == ["api"]
    while segments and segments[0] in ("api", "models", "resolve-cache"):
        segments = segments[1:]
    if len(segments) < 2:
        return _from_words(query.get("search", [""])[0] or "".join(segments))
    name, mark, more = _divided(segments[1])
    repo, rest = repo_name(f"{segments[0]}/{name}"), list(segments[2:])
    if mark == ":":
        return _tagged(repo, "/".join([more, *rest]))
    if mark == "@":
        return _marked(repo, more, "/".join(rest))
    info = query.get("show_file_info", [""])[0]
    if rest and rest[0] in _PAGES and rest[1:]:
        revision, path = _revision_and_path(rest[1:])
        return _inside(repo, revision, info or path)
    names_file = bool(rest) and rest[-1].lower().endswith(".gguf")
    is_path = rest and rest[0] not in _PAGES and (names_file or not is_page)
    if is_asked and len(rest) > 1:  # as the Hub's own client asks for a file of a commit
        return _inside(repo, rest[0], "/".join(rest[1:]))
    return _inside(repo, "main", info or ("/".join(rest) if is_path else ""))


def _divided(name: str) -> tuple[str, str, str]:
    """A repository's name, and what stands behind `:` or `@`."""
    match = re.fullmatch(r"([^:@]*)([:@])(.*)", name, re.DOTALL)
    return (match[1], match[2], match[3]) if match else (name, "", "")


def _revision_and_path(parts: Sequence[str]) -> tuple[str, str]:
    """A revision has no `/` in it but `refs/pr/1` and the like."""
    count = 3 if parts[0] == "refs" and len(parts) > 2 else 1
    return "/".join(parts[:count]), "/".join(parts[count:])


def _tagged(repo: str, tag: str) -> Reference:
    """As Ollama and llama.cpp write it: the tag is a quantization, or a whole file name."""
    if tag.lower().endswith(".gguf"):
        return _inside(repo, "main", tag)
    if not _TAG.fullmatch(tag):
        raise BadInput(
            f"“{shown(tag)}” is not a quantization.", "Write organisation/name:Q4_K_M, for example."
        )
    name = tag.upper() if quality(tag.upper()) or _SHORT.fullmatch(tag) else tag
    return Reference(repo=repo, quantization="" if tag.lower() == "latest" else name)


def _marked(repo: str, mark: str, path: str) -> Reference:
    """As LM Studio writes a quantization, and the Hub's file system a revision."""
    if not path and (quantization_of(f"-{mark}") or _SHORT.fullmatch(mark)):
        return _tagged(repo, mark)
    return _inside(repo, mark, path)


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

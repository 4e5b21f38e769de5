"""Commands and code as model pages and tools offer them for copying: which model they name.

Nothing here is ever run. Of a command only the model is read, with its file, revision and
quantization; options come in any order, a path or a prompt may stand in front of the program.
"""

import re
import shlex
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from lib.core.errors import BadInput
from lib.core.names import shown
from lib.hub import wrappings


class Named(NamedTuple):
    """What a command names; `model` as it is written there."""

    model: str
    files: tuple[str, ...] = ()
    revision: str = ""


class _Arguments(NamedTuple):
    """What stands behind a program: words, and options with their values."""

    words: list[str]
    options: list[tuple[str, str]]

    def first(self, *names: str) -> str:
        """The value of the first option that has one of these names."""
        return next((value for name, value in self.options if name in names and value), "")

    def every(self, *names: str) -> list[str]:
        """The values of all of these."""
        return [value for name, value in self.options if name in names and value]


_SEPARATORS = ("&&", "||", ";", "|", "&")
_CONTINUED = ("\\", "`", "^")
_BEFORE = re.compile(  # what may stand before a program, or a program that prepares another's work
    r"[$>%#]|sudo|env|time|nohup|exec|uvx?|pipx?|pip3|python[\d.]*|py|brew|winget|scoop|choco|apt"
    r"|apt-get|conda|npm|npx|cd|mkdir|export|set|\w+=.*",
    re.IGNORECASE,
)
# Options without a value, which would otherwise take the name behind them for one.
_WITHOUT_VALUE = """
    --verbose --insecure --hidethinking --nowordwrap --think -d --detach --debug --color --quiet -q
    --force-download --resume-download --dry-run --jinja --no-mmap --mlock -cnv --no-webui --webui
    -fa --flash-attn -st -i --single-turn --interactive --embedding --embeddings --reranking
    --no-mmproj --offline --gguf --mlx -y --yes --rm -it -ti --single-branch --no-checkout
    --recursive --bare -L -O -LO -sL -fsSL --location --continue --silent --fail
    --trust-remote-code --enforce-eager --enable-auto-tool-choice --no-context-shift"""
_FLAGS = frozenset(_WITHOUT_VALUE.split())
_HUB_REPOSITORY = ("-hf", "-hfr", "--hf-repo")
_HUB_FILE = ("-hff", "--hf-file")
_MODEL = ("--model", "--model-path", "--model-id", "--model_id", "--repo-id", "--repo", "-m")
_CODE = {
    "model": re.compile(
        r"(?:repo_id|(?:from_pretrained|hf_hub_download|snapshot_download)\(|\bmodel(?:_id|_name|_path|_name_or_path)?[\"']?)\s*[=:(]?\s*"
        r"[\"']([^\"']+/[^\"']+)[\"']"
    ),
    "file": re.compile(
        r"(?:filename|gguf_file|allow_patterns)\s*=\s*(?:\[[^\]]*\]|\"[^\"]+\"|'[^']+')"
    ),
    "second": re.compile(r"(?<=hf_hub_download\()\s*[\"'][^\"']+[\"']\s*,\s*[\"'][^\"']+[\"']"),
    "revision": re.compile(r"revision\s*=\s*[\"']([^\"']+)[\"']"),
}


def named(text: str) -> Named | None:
    """The model that a command names; None where the text is no command that names one."""
    tokens = [token for token in _tokens(text) if token not in _CONTINUED]
    if not tokens or not _may_begin(tokens[0]):
        return None
    for place, token in enumerate(tokens):
        tool = _tool(token)
        found = tool(_until_separator(tokens[place + 1 :])) if tool else None
        if found:
            return found
    return _in_variables(tokens)


def _in_variables(tokens: Sequence[str]) -> Named | None:
    """As llama-server reads its options from the environment."""
    told = dict(token.split("=", 1) for token in tokens if token.startswith("LLAMA_ARG_HF_"))
    if repository := told.get("LLAMA_ARG_HF_REPO"):
        file = told.get("LLAMA_ARG_HF_FILE")
        return Named(repository, (file,) if file else ())
    return None


def _tokens(text: str) -> list[str]:
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split, lexer.escape, lexer.commenters = True, "", ""
    try:
        return list(lexer)
    except ValueError:  # a quote that is not closed
        return text.split()


def _may_begin(token: str) -> bool:
    return bool(_tool(token) or _BEFORE.fullmatch(token))


def _until_separator(tokens: Sequence[str]) -> list[str]:
    found = []
    for token in tokens:
        if token in _SEPARATORS:
            break
        found.append(token.removesuffix(";"))
        if token.endswith(";"):
            break
    return found


def in_code(text: str) -> Named | None:
    """What a few lines of Python or JSON name."""
    model = _CODE["model"].search(text) if re.search(r"[=:(]", text) else None
    if not model:
        return None
    second, file = _CODE["second"].search(text), _CODE["file"].search(text)
    told = (second or file or [""])[0]
    files = tuple(re.findall(r"[\"']([^\"']+)[\"']", told.partition("=")[2] or told))
    revision = _CODE["revision"].search(text)
    return Named(model[1], files[1:] if second else files, revision[1] if revision else "")


def _arguments(tokens: Sequence[str]) -> _Arguments:
    """The words and options; the word behind an option is its value, but for known flags."""
    words: list[str] = []
    options: list[tuple[str, str]] = []
    waiting = deque(tokens)
    while waiting:
        token = waiting.popleft()
        if not token.startswith("-"):
            words.append(token)
        elif "=" in token:
            name, _, value = token.partition("=")
            options.append((name, value))
        else:
            has_value = bool(waiting) and token not in _FLAGS and not _is_option(waiting[0])
            options.append((token, waiting.popleft() if has_value else ""))
    return _Arguments(words, options)


def _is_option(token: str) -> bool:
    return re.match(r"-{1,2}[A-Za-z]", token) is not None


def _is_name(word: str) -> bool:
    """May it name a model: has it an owner, or an address?"""
    return "/" in word.strip("./") and not word.startswith(("./", "../", "~", "-"))


def _first_name(words: Sequence[str]) -> str:
    return next((word for word in words if _is_name(word)), "")


def _ollama(tokens: list[str]) -> Named | None:
    given = _arguments(tokens)
    if given.words[:1] and given.words[0] in ("run", "pull", "show", "launch") and given.words[1:]:
        return Named(given.words[1])
    return None


def _docker(tokens: list[str]) -> Named | None:
    given = _arguments(tokens)
    if given.words[:1] == ["model"] and given.words[2:]:
        name = given.words[2]
        return Named(name.rpartition("/")[2] if name.startswith("ai/") else name)
    return _served(tokens)


def _llama(tokens: list[str]) -> Named | None:
    given = _arguments(tokens)
    repository = given.first(*_HUB_REPOSITORY)
    if repository:
        return Named(repository, tuple(given.every(*_HUB_FILE)))
    address = given.first("-mu", "--model-url")
    if address:
        return Named(address)
    path = given.first("-m", "--model")
    if path and not _is_address(path):
        raise BadInput(
            f"“{shown(path)}” is a file of some machine.", "Give its whole path, and nothing else."
        )
    name = path or _first_name(given.words)
    return Named(name) if name else None


def _is_address(text: str) -> bool:
    return "://" in text or text.startswith(("hf.co/", "huggingface.co/"))


def _hub_tool(tokens: list[str]) -> Named | None:
    """`hf` and `huggingface-cli`: the repository, then the files that are wanted of it."""
    given = _arguments(tokens)
    kind = given.first("--repo-type", "--type")
    if kind and kind not in ("model", "models"):
        raise BadInput(f"That is a {shown(kind)}, not a model.", "Name a model.")
    name = _first_name(given.words)
    if not name:
        return None
    files = given.words[given.words.index(name) + 1 :] + given.every("--include")
    return Named(name, tuple(files), given.first("--revision"))


def _git(tokens: list[str]) -> Named | None:
    given = _arguments(tokens)
    address = next((word for word in given.words if "/" in word), "")
    if "clone" not in given.words or not address:
        return None
    address = re.sub(r"^(?:ssh://)?git@(hf\.co|huggingface\.co)[:/]", r"https://\1/", address)
    return Named(address.removesuffix(".git"), (), given.first("-b", "--branch", "--revision"))


def _studio(tokens: list[str]) -> Named | None:
    """LM Studio's `lms get NAME@quantization`."""
    given = _arguments(tokens)
    if given.words[:1] not in (["get"], ["load"]) or not given.words[1:]:
        return None
    return Named(given.words[1])


def _served(tokens: list[str]) -> Named | None:
    """vLLM, SGLang, containers and the like: an option names the model, or the first word."""
    given = _arguments(tokens)
    repository = given.first(*_HUB_REPOSITORY, *_MODEL)
    name = repository if "/" in repository else ""
    if not name and given.words[:1] and given.words[0] in ("serve", "run", "pull", "chat", "bench"):
        name = _first_name(given.words[1:])
    return Named(name, tuple(given.every(*_HUB_FILE)), given.first("--revision")) if name else None


def _fetched(tokens: list[str]) -> Named | None:
    """curl, wget and the like: the address, where it is none of this machine's."""
    local = re.compile(r"(?:https?://)?(?:localhost|127\.0\.0\.1|\[::1\]|0\.0\.0\.0)")
    addresses = [token for token in tokens if "://" in token and not local.match(token)]
    return Named(addresses[0]) if addresses and ".sh" not in addresses[0] else None


def _modelfile(tokens: list[str]) -> Named | None:
    """A line of a Modelfile: FROM hf.co/organisation/name:tag."""
    return Named(tokens[0]) if tokens and _is_address(tokens[0]) else None


_Tool = Callable[[list[str]], Named | None]
_TOOLS: dict[str, _Tool] = {
    "ollama": _ollama,
    "docker": _docker,
    "podman": _docker,
    "hf": _hub_tool,
    "huggingface-cli": _hub_tool,
    "git": _git,
    "lms": _studio,
    "from": _modelfile,
    **dict.fromkeys(("curl", "wget", "aria2c", "axel", "invoke-webrequest", "iwr"), _fetched),
    **dict.fromkeys(
        ("vllm", "sglang", "sglang.launch_server", "text-generation-launcher"), _served
    ),
    **dict.fromkeys(("vllm.entrypoints.openai.api_server", "ramalama", "local-ai", "jan"), _served),
    **dict.fromkeys(("mlx_lm.generate", "mlx_lm.server", "mlx_lm.chat"), _served),
    **dict.fromkeys(("nexa", "unsloth", "llm"), _served),
    "llamafile": lambda tokens: _llama(tokens),
    "download-model.py": lambda tokens: _hub_tool(tokens),
}


def _tool(token: str) -> _Tool | None:
    """What reads the arguments of this program; it may have a path and an ending."""
    name = re.split(r"[/\\]", token)[-1].lower().removesuffix(".exe")
    if "://" in token:
        return None
    if re.fullmatch(r"koboldcpp[\w.-]*", name):
        return _served
    return _TOOLS.get(name) or (_llama if re.fullmatch(r"llama(?:-[\w-]+)?", name) else None)


def lines_of(text: str) -> Iterator[str]:
    """The lines that may name something, without comments; of a line broken by `\\` the whole."""
    kept = (line for line in text.splitlines() if not wrappings.is_fence(line))
    whole = re.sub(r"[\\^`]\s*\n", " ", "\n".join(kept))
    for line in whole.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield wrappings.without_prompt(line)

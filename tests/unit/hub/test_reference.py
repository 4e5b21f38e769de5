"""What people paste into the model field, and the names that become paths and addresses."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lib.core import names
from lib.core.errors import BadInput
from lib.hub import Reference, parse_reference

TOKEN = "hf_" + "a1B2" * 8
SHA = "ebb2015119c907b064c512bf053e945850b5875f"
ANY_TEXT = st.text(max_size=80)
same_home = hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize(
    "text",
    [
        "acme/Anvil-1B",
        "  acme/Anvil-1B\n",
        "https://huggingface.co/acme/Anvil-1B",
        "http://www.huggingface.co/acme/Anvil-1B/",
        "huggingface.co/acme/Anvil-1B",
        "hf.co/acme/Anvil-1B",
        "HF.co/acme/Anvil-1B:latest",
        "https://huggingface.co/acme/Anvil-1B/tree/main",
        "https://huggingface.co/acme/Anvil-1B/discussions/7#abc",
        "https://huggingface.co/acme/Anvil-1B?library=transformers",
        "https://huggingface.co/api/models/acme/Anvil-1B",
        "ollama run hf.co/acme/Anvil-1B",
        "vllm serve \"acme/Anvil-1B\"",
        "git clone https://huggingface.co/acme/Anvil-1B",
        "hf download acme/Anvil-1B --local-dir x",
        "acme/Anvil-1B/tree/main",
    ],
)  # fmt: skip
def test_a_repository_is_recognised_however_it_is_pasted(text: str) -> None:
    assert parse_reference(text) == Reference(repo="acme/Anvil-1B")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hf.co/acme/A:Q4_K_M", {"quantization": "Q4_K_M"}),
        ("acme/A:q4_k_m", {"quantization": "Q4_K_M"}),
        ("ollama run hf.co/acme/A:Q4", {"quantization": "Q4"}),
        ("ollama pull huggingface.co/acme/A:IQ3_M", {"quantization": "IQ3_M"}),
        ("llama-server -hf acme/A:Q8_0", {"quantization": "Q8_0"}),
        ("hf.co/acme/A:a-Q8_0.gguf", {"path": "a-Q8_0.gguf", "quantization": "Q8_0"}),
        (
            "https://huggingface.co/acme/A/blob/main/sub%20dir/a-Q6_K.gguf",
            {"path": "sub dir/a-Q6_K.gguf", "quantization": "Q6_K"},
        ),
        (
            "https://huggingface.co/acme/A/resolve/v1.0/a.gguf?download=true",
            {"revision": "v1.0", "path": "a.gguf"},
        ),
        ("https://huggingface.co/acme/A/tree/refs%2Fpr%2F3", {"revision": "refs/pr/3"}),
        (f"https://huggingface.co/acme/A/commit/{SHA}", {"revision": SHA}),
        (
            "https://huggingface.co/acme/A/tree/main/Q8_0",
            {"path": "Q8_0", "quantization": "Q8_0"},
        ),
        (
            "https://huggingface.co/acme/A?show_file_info=a-Q4_K_M.gguf",
            {"path": "a-Q4_K_M.gguf", "quantization": "Q4_K_M"},
        ),
    ],
)
def test_what_was_said_about_the_repository_is_kept(text: str, expected: dict[str, str]) -> None:
    assert parse_reference(text) == Reference(repo="acme/A", **expected)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("qwen coder 7b", "qwen coder 7b"),
        ("llama3.2:3b", "llama3.2 3b"),
        ("ollama run llama3.2", "llama3.2"),
        ("Qwen2.5-Coder", "Qwen2.5-Coder"),
        ("modèle français", "modèle français"),
        ("https://huggingface.co/Qwen", "Qwen"),
        ("https://huggingface.co/models?search=tiny+llama&sort=downloads", "tiny llama"),
    ],
)
def test_everything_else_is_words_to_search_for(text: str, words: str) -> None:
    assert parse_reference(text) == Reference(words=words)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \t\n",
        "acme/x; rm -rf ~",
        "acme/$(whoami)",
        "`id`",
        "a|b",
        "x && y",
        "../../etc/passwd",
        "/etc/passwd",
        "acme/..",
        "acme/a--b",
        "acme\\name",
        "C:\\model.gguf",
        "acme/na\0me",
        "acme/na\u202eme",
        "qwen\u200bcoder",
        "a" * 10_000,
        "acme/" + "a" * 300,
        "-rf",
        "https://",
        "https://huggingface.co/",
        "https://huggingface.co/datasets/acme/rows",
        "https://huggingface.co/spaces/acme/demo",
        "https://evil.example/acme/A",
        "https://huggingface.co.evil.example/acme/A",
        "https://huggingface.co@evil.example/acme/A",
        "https://user:secret@huggingface.co/acme/A",
        "ftp://huggingface.co/acme/A",
        "file:///etc/passwd",
        "https://[broken/acme/A",
        "https://huggingface.co/acme/A/resolve/main/../../secret",
        "https://huggingface.co/acme/A/resolve/main/%2e%2e/secret",
        "https://huggingface.co/acme/A/resolve/..%2f..%2fx/a.gguf",
        "https://huggingface.co/acme/A/resolve/main/a%00.gguf",
        "https://huggingface.co/acme%2FA/B",
        "acme/A:Q4 K",
        "acme/A:$(x)",
        "acme/A:" + "Q" * 200,
    ],
)  # fmt: skip
def test_what_can_be_nothing_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_reference(text)
    assert caught.value.message.endswith((".", "”"))
    assert caught.value.fix
    assert len(str(caught.value)) < 300


def test_a_novel_is_told_its_length() -> None:
    with pytest.raises(BadInput) as caught:
        parse_reference("acme/Anvil " * 10_000)
    assert "109,999 characters" in caught.value.message


def test_a_pasted_token_is_refused_and_not_repeated() -> None:
    with pytest.raises(BadInput) as caught:
        parse_reference(f"https://me:{TOKEN}@huggingface.co/acme/A")
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("endpoint", ["https://hub.example:8443", "https://hub.example/hf/"])
def test_addresses_of_the_configured_mirror_are_understood(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    address = f"{endpoint.rstrip('/')}/acme/A/blob/main/a-Q4_0.gguf"
    expected = Reference(repo="acme/A", path="a-Q4_0.gguf", quantization="Q4_0")
    assert parse_reference(address) == expected
    assert parse_reference(address.removeprefix("https://")) == expected


@given(ANY_TEXT)
@example("hf.co//")
@example("acme/A/tree/")
@example("ollama run hf.co/:")
@same_home
def test_any_text_is_a_valid_reference_or_bad_input(text: str) -> None:
    try:
        found = parse_reference(text)
    except BadInput:
        return
    assert bool(found.repo) != bool(found.words)
    if found.repo:
        assert names.repo_name(found.repo) == found.repo
        assert names.revision_name(found.revision) == found.revision
        assert not found.path or names.file_path(found.path) == found.path


@given(ANY_TEXT)
def test_a_file_path_stays_below_its_folder(text: str) -> None:
    try:
        path = names.file_path(text)
    except BadInput:
        return
    assert (Path("/root") / path).resolve().is_relative_to("/root")
    assert "\0" not in path
    assert "\\" not in path


@pytest.mark.parametrize("text", ["", "/main", "main/", "a//b", "a/../b", "-x", "a b", "x" * 500])
def test_a_revision_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        names.revision_name(text)

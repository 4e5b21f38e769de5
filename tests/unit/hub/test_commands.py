"""Whatever is pasted is understood exactly: addresses, names, commands and code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.core.errors import BadInput
from lib.hub import Reference, parse_reference
from lib.hub.commands import named

HUB = "https://huggingface.co"
REPO = "acme/Anvil-GGUF"
FILE = "Anvil-8B-Q4_K_M.gguf"
SHA = "ebb2015119c907b064c512bf053e945850b5875f"

THE_REPOSITORY = [
    f"llama serve -hf {REPO}",
    f"llama-server --jinja -hf {REPO}",
    f"llama-server --jinja -c 8192 -fa -hf {REPO} --port 8080",
    f"llama-server --hf-repo {REPO} -ngl 99",
    f"llama-server --hf-repo={REPO}",
    f"llama-server -hfr {REPO}",
    f"./llama.cpp/llama-cli -hf {REPO}",
    f"/usr/local/bin/llama-cli -hf {REPO} -p 'Hello there'",
    f".\\build\\bin\\llama-server.exe -hf {REPO}",
    f"llama-mtmd-cli -hf {REPO} --image a.png",
    f"llama-cli -v -hf {REPO}",
    f"llama run {REPO}",
    f"hf://{REPO}",
    f"hf://models/{REPO}",
    f"huggingface://{REPO}",
    f"hf download {REPO}",
    f"hf download --local-dir x {REPO}",
    f"hf download {REPO} --local-dir ./models",
    f"huggingface-cli download {REPO} --local-dir-use-symlinks False",
    f"uvx hf download {REPO}",
    f"HF_HUB_ENABLE_HF_TRANSFER=1 hf download --quiet {REPO}",
    f"$ hf download {REPO}",
    f"git clone {HUB}/{REPO}",
    f"git clone {HUB}/{REPO}.git",
    f"git clone --depth 1 {HUB}/{REPO} folder",
    f"git clone git@hf.co:{REPO}",
    f"git clone git@hf.co:{REPO}.git",
    f"GIT_LFS_SKIP_SMUDGE=1 git clone {HUB}/{REPO}",
    f"git lfs install && git clone {HUB}/{REPO}",
    f"ollama run hf.co/{REPO}",
    f"ollama pull huggingface.co/{REPO}:latest",
    f"ollama run --verbose hf.co/{REPO}",
    f"ollama run --keepalive 1h hf.co/{REPO} 'Hello'",
    f"docker model run hf.co/{REPO}",
    f"docker run -p 8080:8080 -v ~/models:/models ghcr.io/ggml-org/llama.cpp:server -hf {REPO}",
    f"docker run --gpus all vllm/vllm-openai:latest --model {REPO}",
    f"lms get {REPO}",
    f"lms get {HUB}/{REPO} --gguf",
    f"lmstudio://open_from_hf?model={REPO}",
    f"jan://models/huggingface/{REPO}",
    f"ramalama run hf://{REPO}",
    f"local-ai run huggingface://{REPO}",
    f"vllm serve {REPO}",
    f"vllm serve {REPO} --max-model-len 4096",
    f"vllm serve --max-model-len 4096 --model {REPO}",
    f'vllm serve "{REPO}"',
    f"python -m vllm.entrypoints.openai.api_server --model {REPO}",
    f"python3 -m sglang.launch_server --model-path {REPO} --port 30000",
    f"FROM hf.co/{REPO}",
    f"wget {HUB}/{REPO}",
    f'llm = Llama.from_pretrained(repo_id="{REPO}")',
    f"pipe = pipeline('text-generation', model='{REPO}')",
    f'AutoModelForCausalLM.from_pretrained("{REPO}", device_map="auto")',
    f'curl http://localhost:8000/v1/completions -d \'{{"model": "{REPO}", "prompt": "x"}}\'',
    f"brew install llama.cpp # A server: llama-server -hf {REPO} # In the terminal: llama-cli x",
    f"brew install llama.cpp\n# A server:\nllama-server -hf {REPO}\n# Or:\nllama-cli -hf other/B",
    f"llama-server \\\n  --jinja \\\n  -hf {REPO}",
    f"{HUB}/{REPO}?local-app=llama.cpp",
    f"{HUB}/{REPO}/discussions/7",
    f"{HUB}/{REPO}/blob/main",
    f"{HUB}/api/models/{REPO}/revision/main",
    f"{HUB}/models/{REPO}",
    f"{REPO}:latest",
]


@pytest.mark.parametrize("text", THE_REPOSITORY)
def test_a_repository_is_understood_in_whatever_it_is_wrapped(text: str) -> None:
    assert parse_reference(text) == Reference(repo=REPO)


THE_FILE = [
    f"{HUB}/{REPO}/blob/main/{FILE}",
    f"{HUB}/{REPO}/resolve/main/{FILE}",
    f"{HUB}/{REPO}/resolve/main/{FILE}?download=true",
    f"{HUB}/{REPO}/raw/main/{FILE}",
    f"{HUB}/{REPO}/blame/main/{FILE}",
    f"{HUB}/{REPO}/tree/main?show_file_info={FILE}",
    f"{HUB}/{REPO}?show_file_info={FILE}",
    f"{HUB}/api/models/{REPO}/resolve/main/{FILE}",
    f"hf.co/{REPO}/blob/main/{FILE}",
    f"hf.co/{REPO}:{FILE}",
    f"ollama run hf.co/{REPO}:{FILE}",
    f"{REPO}/{FILE}",
    f"{REPO}:{FILE}",
    f"{REPO} {FILE}",
    f"{REPO}/blob/main/{FILE}",
    f"hf://{REPO}/{FILE}",
    f"hf://{REPO}@main/{FILE}",
    f"huggingface://{REPO}/{FILE}",
    f"lmstudio://open_from_hf?model={REPO}&file={FILE}",
    f"hf download {REPO} {FILE}",
    f"hf download {REPO} {FILE} --local-dir .",
    f"hf download --local-dir . {REPO} {FILE}",
    f"hf download {REPO} --include {FILE}",
    f"hf download {REPO} mmproj-F16.gguf {FILE}",
    f"hf download {REPO} config.json {FILE}",
    f"huggingface-cli download {REPO} {FILE} --local-dir . --local-dir-use-symlinks False",
    f"llama-server -hf {REPO} -hff {FILE}",
    f"llama-server -hff {FILE} --hf-repo {REPO}",
    f"llama-server --hf-repo {REPO} --hf-file {FILE} -c 2048",
    f"llama-server -mu {HUB}/{REPO}/resolve/main/{FILE}",
    f"wget -c {HUB}/{REPO}/resolve/main/{FILE}",
    f"curl -L -o x.gguf {HUB}/{REPO}/resolve/main/{FILE}",
    f"curl -LO {HUB}/{REPO}/resolve/main/{FILE}",
    f'Llama.from_pretrained(repo_id="{REPO}", filename="{FILE}")',
    f'hf_hub_download(repo_id="{REPO}", filename="{FILE}")',
    f"AutoModel.from_pretrained('{REPO}', gguf_file='{FILE}')",
]


@pytest.mark.parametrize("text", THE_FILE)
def test_who_names_a_file_means_that_file(text: str) -> None:
    assert parse_reference(text) == Reference(repo=REPO, path=FILE, quantization="Q4_K_M")


@pytest.mark.parametrize(
    "tag", ["Q4_K_M", "UD-Q4_K_XL", "UD-IQ2_M", "IQ4_KS", "Q4_K_P", "Q4", "F16"]
)
@pytest.mark.parametrize(
    "form",
    [
        "{}:{}",
        "hf.co/{}:{}",
        "https://huggingface.co/{}:{}",
        "ollama run hf.co/{}:{}",
        "ollama pull hf.co/{}:{} --insecure",
        "llama-server -hf {}:{}",
        "llama serve -hf {}:{}",
        "llama-cli --jinja -hf {}:{} -cnv",
        "docker model pull hf.co/{}:{}",
        "lms get {}@{}",
        "lms get https://huggingface.co/{}@{}",
        "{}@{}",
    ],
)
def test_a_tag_is_kept_as_it_is(form: str, tag: str) -> None:
    assert parse_reference(form.format(REPO, tag)) == Reference(repo=REPO, quantization=tag)
    if form != "{}@{}":
        small = parse_reference(form.format(REPO, tag.lower()))
        assert small.quantization.casefold() == tag.casefold()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"hf download {REPO} --revision v1.0", {"revision": "v1.0"}),
        (f"hf download {REPO} --revision v1.0 a.gguf", {"revision": "v1.0", "path": "a.gguf"}),
        (f"git clone -b dev {HUB}/{REPO}", {"revision": "dev"}),
        (f"git clone {HUB}/{REPO} --branch=dev", {"revision": "dev"}),
        (f"hf://{REPO}@v1.0", {"revision": "v1.0"}),
        (f"hf://{REPO}@v1.0/sub/a.gguf", {"revision": "v1.0", "path": "sub/a.gguf"}),
        (f"{HUB}/{REPO}/tree/refs/pr/3", {"revision": "refs/pr/3"}),
        (f"{HUB}/{REPO}/blob/refs%2Fpr%2F3/a.gguf", {"revision": "refs/pr/3", "path": "a.gguf"}),
        (f"{HUB}/{REPO}/tree/v1?show_file_info=a.gguf", {"revision": "v1", "path": "a.gguf"}),
        (f"{HUB}/{REPO}/commits/{SHA}/a.gguf", {"revision": SHA, "path": "a.gguf"}),
        (f"{HUB}/api/models/{REPO}/revision/v1.0", {"revision": "v1.0"}),
        (
            f"{HUB}/api/resolve-cache/models/{REPO}/{SHA}/a.gguf",
            {"revision": SHA, "path": "a.gguf"},
        ),
        (f"vllm serve {REPO} --revision v1.0", {"revision": "v1.0"}),
        (f'X.from_pretrained("{REPO}", revision="v1.0")', {"revision": "v1.0"}),
        (f"{HUB}/{REPO}/tree/main/Q8_0", {"path": "Q8_0", "quantization": "Q8_0"}),
        (f"{REPO}/UD-Q2_K_XL", {"path": "UD-Q2_K_XL", "quantization": "UD-Q2_K_XL"}),
        (f'hf download {REPO} --include "*Q4_K_M*"', {"path": "*Q4_K_M*"}),
        (f"hf download {REPO} --include '*.gguf'", {"path": "*.gguf"}),
        (f'Llama.from_pretrained(repo_id="{REPO}", filename="*q8_0.gguf")', {"path": "*q8_0.gguf"}),
    ],
)  # fmt: skip
def test_revisions_folders_and_patterns_are_kept(text: str, expected: dict[str, str]) -> None:
    found = parse_reference(text)
    wanted = Reference(repo=REPO, **expected)
    assert (found.repo, found.revision, found.path) == (wanted.repo, wanted.revision, wanted.path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ollama run llama3.2:3b", "llama3.2 3b"),
        ("docker model run ai/smollm2", "smollm2"),
        ("lms get qwen3-8b", "qwen3-8b"),
        ("ollama models for code", "ollama models for code"),
        ("git models", "git models"),
        ("llama 3.2 instruct", "llama 3.2 instruct"),
        ("llama", "llama"),
        ("vllm", "vllm"),
    ],
)
def test_words_stay_words(text: str, words: str) -> None:
    assert parse_reference(text) == Reference(words=words)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("llama-server -m ./models/x.gguf", "is a file of some machine"),
        ("llama-cli -m C:\\models\\x.gguf -p hi", "is a file of some machine"),
        (f"hf download {REPO} --repo-type dataset", "a dataset, not a model"),
        ("wget https://example.com/acme/A/x.gguf", "not on the Hugging Face Hub"),
        ("curl -L https://evil.example/a/b -o x", "not on the Hugging Face Hub"),
        ("git clone https://github.com/acme/A", "not on the Hugging Face Hub"),
        ("hf download acme/../../x", "not a repository name"),
        ("ollama run hf.co/acme/$(id)", "not a repository name"),
        ("hf://datasets/acme/rows", "is not a model"),
        (f"{REPO}/../x.gguf", "is not the path of a file"),
        (f"hf download {REPO} ../../x.gguf", "is not the path of a file"),
        (f"{REPO}:../x.gguf", "is not the path of a file"),
    ],
)
def test_what_names_no_model_of_the_hub_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_reference(text)
    assert said in str(caught.value)


def test_two_wishes_are_two_texts_and_one_is_the_repository() -> None:
    texts = [REPO, f"{REPO}:Q4_K_M", f"{REPO}:{FILE}", f"hf://{REPO}@v1"]
    assert len({parse_reference(text).key for text in texts}) == 4
    assert parse_reference(REPO).key == REPO


@given(st.text(max_size=120))
def test_any_text_names_a_model_or_none(text: str) -> None:
    try:
        found = named(text)
    except BadInput:
        return
    assert found is None or found.model


@given(st.lists(st.sampled_from([
    "ollama", "run", "hf", "download", "-hf", "--hf-repo", "--include", "git", "clone", "--model",
    "acme/A", "&&", ";", "-b", "=", "'", '"', "\\", "hf.co/a/b:c", "x.gguf", "--", "-", "lms",
]), max_size=8))  # fmt: skip
def test_any_mixture_of_such_words_is_survived(words: list[str]) -> None:
    try:
        parse_reference(" ".join(words))
    except BadInput as error:
        assert error.fix

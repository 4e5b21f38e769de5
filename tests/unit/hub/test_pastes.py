"""More of what people paste: in sentences and links, behind prompts, with odd options."""

import pytest

from lib.core.errors import BadInput
from lib.hub import Reference, parse_reference

HUB = "https://huggingface.co"
REPO = "acme/Anvil-GGUF"
FILE = "Anvil-8B-Q4_K_M.gguf"

THE_REPOSITORY = [
    f"LLAMA_ARG_HF_REPO={REPO} llama-server",
    f"llama-cli -p 'and/or' -hf {REPO}",
    f"llama-embedding -hf {REPO} -p hello",
    f"`{REPO}`",
    f'"{REPO}"',
    f"“{REPO}”",
    f"{REPO}.",
    f"{REPO},",
    f"({REPO})",
    f"<{HUB}/{REPO}>",
    f"{HUB}/{REPO}.",
    f"{HUB}/{REPO},",
    f"{HUB}/{REPO})",
    f"{HUB}/{REPO}/",
    f"{HUB}/{REPO}#usage",
    f"{HUB}/{REPO}?library=llama-cpp-python#files",
    f"{HUB}/{REPO}/tree/main#readme",
    f"[Anvil]({HUB}/{REPO})",
    f"[{REPO}]({HUB}/{REPO})",
    f'<a href="{HUB}/{REPO}">Anvil</a>',
    f"http://huggingface.co/{REPO}",
    f"HTTPS://HuggingFace.co/{REPO}",
    f"www.huggingface.co/{REPO}",
    f"hf.co/{REPO}@main",
    f"see {HUB}/{REPO} for it",
    f"Model: {REPO}",
    f"model = {REPO}",
    f"repo: {HUB}/{REPO}",
    f"docker model pull huggingface.co/{REPO}",
    f"podman run --rm ghcr.io/ggml-org/llama.cpp:server -hf {REPO}",
    f"OLLAMA_HOST=0.0.0.0 ollama run hf.co/{REPO}",
    f"lms get --gguf {REPO}",
    f"lms load {REPO}",
    f"hf models info {REPO}",
    f"hf repo-files {REPO}",
    f"vllm serve --tokenizer acme/Anvil {REPO}",
    f"vllm serve {REPO} --hf-config-path acme/Anvil",
    f"CUDA_VISIBLE_DEVICES=0 vllm serve {REPO} --tensor-parallel-size 1",
    f"uv run vllm serve {REPO}",
    f"python -m sglang.launch_server --port 30000 --model-path {REPO}",
    f"git lfs clone {HUB}/{REPO}",
    f"git lfs clone {HUB}/{REPO}.git anvil",
    f"git -C /models clone {HUB}/{REPO}",
    f"git clone ssh://git@hf.co/{REPO}",
    f"git clone git@huggingface.co:{REPO}.git",
    f"git xet install && git clone {HUB}/{REPO}",
    f"C:\\Users\\me> llama-server.exe -hf {REPO}",
    f"user@host:~$ llama-server -hf {REPO}",
    f"> ollama run hf.co/{REPO}",
    f"```\n{REPO}\n```",
    f'{{"model": "{REPO}", "messages": []}}',
    f"llamafile -hf {REPO}",
    f"text-generation-launcher --model-id {REPO}",
    f"python download-model.py {REPO}",
    f"nexa pull {REPO}",
    f"mlx_lm.generate --model {REPO} --prompt 'hi'",
    f"jan serve {REPO}",
    f"llm -m {REPO} 'hi'",
    f"unsloth run {REPO}",
]


@pytest.mark.parametrize("text", THE_REPOSITORY)
def test_a_repository_is_found_in_what_stands_around_it(text: str) -> None:
    assert parse_reference(text) == Reference(repo=REPO)


THE_FILE = [
    f"llama-server -t 8 -hf {REPO} --hf-file {FILE} --host 0.0.0.0",
    f"llama-cli -m hf.co/{REPO}/resolve/main/{FILE}",
    f'llama-cli --model-url {HUB}/{REPO}/resolve/main/{FILE} -p "Hi there"',
    f"[Q4_K_M]({HUB}/{REPO}/blob/main/{FILE})",
    f"* [{FILE}]({HUB}/{REPO}/resolve/main/{FILE}?download=true) 4.9 GB",
    f"| [{FILE}]({HUB}/{REPO}/blob/main/{FILE}) | Q4_K_M | 4.92GB | false | Good quality |",
    f"<a href='{HUB}/{REPO}/resolve/main/{FILE}'>download</a>",
    f"{HUB}/{REPO}/resolve/main/{FILE}?download=true",
    f"{HUB}/{REPO}/resolve/main/{FILE}?download=true#sha",
    f"{HUB}/{REPO}/blob/main/{FILE}#L10",
    f"ollama run hf.co/{REPO}/{FILE}",
    f"hf download --repo-type model {REPO} {FILE}",
    f"hf download {REPO} {FILE} --token abc",
    f"hf download {REPO} {FILE} --max-workers 4",
    f"hf download --max-workers 4 {REPO} {FILE} --cache-dir /tmp/x",
    f"pip install -U huggingface_hub && hf download {REPO} {FILE}",
    f'pip install "hub[cli]"\nhuggingface-cli download {REPO} --include "{FILE}" --local-dir x',
    f"wget {HUB}/{REPO}/resolve/main/{FILE}",
    f"wget '{HUB}/{REPO}/resolve/main/{FILE}?download=true' -O x.gguf",
    f'wget --header="Authorization: Bearer $HF_TOKEN" {HUB}/{REPO}/resolve/main/{FILE}',
    f"curl -L -o x.gguf {HUB}/{REPO}/resolve/main/{FILE}",
    f"curl -L {HUB}/{REPO}/resolve/main/{FILE} -o models/x.gguf",
    f'curl -H "Authorization: Bearer $TOKEN" -LO {HUB}/{REPO}/resolve/main/{FILE}',
    f"aria2c -x 16 -s 16 {HUB}/{REPO}/resolve/main/{FILE} -d models",
    f"Invoke-WebRequest -Uri {HUB}/{REPO}/resolve/main/{FILE} -OutFile x.gguf",
    f"iwr {HUB}/{REPO}/resolve/main/{FILE} -o x.gguf",
    f"!huggingface-cli download {REPO} {FILE}",
    f"%pip install x\n!wget {HUB}/{REPO}/resolve/main/{FILE}",
    f'hf_hub_download("{REPO}", "{FILE}")',
    f"koboldcpp --model {HUB}/{REPO}/resolve/main/{FILE}",
    f"./koboldcpp-linux-x64 --model {HUB}/{REPO}/resolve/main/{FILE}",
]


@pytest.mark.parametrize("text", THE_FILE)
def test_so_is_a_file(text: str) -> None:
    assert parse_reference(text) == Reference(repo=REPO, path=FILE, quantization="Q4_K_M")


MORE = [
    (
        f"llama-server --port 8080 -c 4096 --jinja -hf {REPO}:Q4_K_M -ngl 0",
        {"quantization": "Q4_K_M"},
    ),
    (f'llama-server -hf "{REPO}:Q4_K_M"', {"quantization": "Q4_K_M"}),
    (f"llama-server -hf '{REPO}':Q8_0", {"quantization": "Q8_0"}),
    (f"llama-server -hf={REPO}:Q4_K_M", {"quantization": "Q4_K_M"}),
    (f"llama-cli -hf {REPO}:q4_k_m -p 'What is 2/3?'", {"quantization": "Q4_K_M"}),
    (f"llama-bench -hf {REPO}:Q4_0", {"quantization": "Q4_0"}),
    (f"`{REPO}:Q4_K_M`", {"quantization": "Q4_K_M"}),
    (f"'{REPO}:Q4_K_M'", {"quantization": "Q4_K_M"}),
    (
        f"{HUB}/{REPO}/resolve/refs%2Fpr%2F3/{FILE}",
        {"path": FILE, "quantization": "Q4_K_M", "revision": "refs/pr/3"},
    ),
    (
        f"{HUB}/{REPO}/blob/refs%2Fpr%2F3/{FILE}?download=true",
        {"path": FILE, "quantization": "Q4_K_M", "revision": "refs/pr/3"},
    ),
    (f"{HUB}/{REPO}/tree/refs%2Fpr%2F12", {"revision": "refs/pr/12"}),
    (
        f"{HUB}/{REPO}/resolve/v1.0/{FILE}",
        {"path": FILE, "quantization": "Q4_K_M", "revision": "v1.0"},
    ),
    (
        f"{HUB}/{REPO}/resolve/main/Q4_K_M/Anvil%208B%20Q4_K_M.gguf",
        {"path": "Q4_K_M/Anvil 8B Q4_K_M.gguf", "quantization": "Q4_K_M"},
    ),
    (f"huggingface.co/{REPO}/tree/main/Q8_0", {"path": "Q8_0", "quantization": "Q8_0"}),
    (f"docker model run hf.co/{REPO}:Q4_K_M", {"quantization": "Q4_K_M"}),
    (f'docker model run hf.co/{REPO}:Q4_K_M "Hello there"', {"quantization": "Q4_K_M"}),
    (
        f"docker run -it --rm -p 80:8080 ghcr.io/ggml-org/llama.cpp:full --server -hf {REPO}:Q8_0",
        {"quantization": "Q8_0"},
    ),
    (f"ollama pull hf.co/{REPO}:Q5_K_M", {"quantization": "Q5_K_M"}),
    (f'ollama run hf.co/{REPO}:q5_k_m --verbose "hi"', {"quantization": "Q5_K_M"}),
    (f"lms get {REPO}@q4_k_m", {"quantization": "Q4_K_M"}),
    (f"lms get -y {HUB}/{REPO}@Q8_0", {"quantization": "Q8_0"}),
    (
        f'huggingface-cli download {REPO} --include "*Q4_K_M*" --local-dir .',
        {"path": "*Q4_K_M*", "quantization": "Q4_K_M"},
    ),
    (
        f"huggingface-cli download {REPO} --include='*Q4_K_M*'",
        {"path": "*Q4_K_M*", "quantization": "Q4_K_M"},
    ),
    (
        f'hf download --include "Q8_0/*" --local-dir . {REPO}',
        {"path": "Q8_0/*", "quantization": "Q8_0"},
    ),
    (f'hf download {REPO} --include "*.gguf" --exclude "*F16*"', {"path": "*.gguf"}),
    (
        f"hf download {REPO} --revision refs/pr/3 {FILE}",
        {"path": FILE, "quantization": "Q4_K_M", "revision": "refs/pr/3"},
    ),
    (f"vllm serve {REPO}:Q4_K_M --tokenizer acme/Anvil", {"quantization": "Q4_K_M"}),
    (f"git clone -b v2 {HUB}/{REPO}", {"revision": "v2"}),
    (f"git clone --branch=v2 --depth=1 {HUB}/{REPO}", {"revision": "v2"}),
    (f"PS C:\\llama> .\\llama-server.exe -hf {REPO}:Q4_K_M", {"quantization": "Q4_K_M"}),
    (f"```bash\nllama-server -hf {REPO}:Q4_K_M\n```", {"quantization": "Q4_K_M"}),
    (f"FROM hf.co/{REPO}:Q4_K_M\nPARAMETER temperature 0.7", {"quantization": "Q4_K_M"}),
    (
        f'hf_hub_download(\n    repo_id="{REPO}",\n    filename="{FILE}",\n    revision="v2",\n)',
        {"path": FILE, "quantization": "Q4_K_M", "revision": "v2"},
    ),
    (
        f"snapshot_download(repo_id='{REPO}', allow_patterns=['*Q4_K_M*'])",
        {"path": "*Q4_K_M*", "quantization": "Q4_K_M"},
    ),
    (
        f'snapshot_download("{REPO}", allow_patterns="*Q4_K_M*")',
        {"path": "*Q4_K_M*", "quantization": "Q4_K_M"},
    ),
    (
        f'Llama.from_pretrained("{REPO}", filename="*Q4_K_M.gguf")',
        {"path": "*Q4_K_M.gguf", "quantization": "Q4_K_M"},
    ),
    (f"model: {REPO}:Q4_K_M", {"quantization": "Q4_K_M"}),
]


@pytest.mark.parametrize(("text", "said"), MORE)
def test_what_else_is_said_is_kept(text: str, said: dict[str, str]) -> None:
    assert parse_reference(text) == Reference(repo=REPO, **said)


@pytest.mark.parametrize(
    "text",
    [
        f"git clone https://user:password@huggingface.co/{REPO}",
        f"C:\\models\\{FILE}",
        f"D:/models/{FILE}",
        f"llama-cli -m ./models/{FILE} -p hi",
        f"llama-server -m C:\\models\\{FILE}",
        f"~/models/{FILE}",
        f"{HUB}/datasets/acme/x",
        f"https://example.org/{REPO}",
        f"https://modelscope.cn/models/{REPO}",
        f"{HUB}/{REPO} or {HUB}/acme/Other-GGUF",
        f"{HUB}/{REPO}/blob/main/{FILE} {HUB}/{REPO}/blob/main/Anvil-8B-Q8_0.gguf",
    ],
)
def test_what_is_of_elsewhere_or_of_two_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse_reference(text)


def test_of_two_addresses_of_one_model_the_files_counts() -> None:
    text = f"[card]({HUB}/{REPO}) [file]({HUB}/{REPO}/blob/main/{FILE})"
    assert parse_reference(text).path == FILE

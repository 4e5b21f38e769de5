"""LiteLLM as a library."""

import importlib.metadata
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm

MODEL, BASE = os.environ["MODEL"], f"{os.environ['BASE']}/v1"
QUESTION = [{"role": "user", "content": "What is the capital of France? One word."}]
TO = {"api_base": BASE, "api_key": "berth", "num_retries": 0, "max_retries": 0}

print("litellm", importlib.metadata.version("litellm"))
answer = litellm.completion(model=f"openai/{MODEL}", messages=QUESTION, max_tokens=20, **TO)
print("completion:", answer.choices[0].message.content, answer.usage.completion_tokens)
pieces = [
    chunk.choices[0].delta.content or ""
    for chunk in litellm.completion(
        model=f"openai/{MODEL}", messages=QUESTION, stream=True, max_tokens=20, **TO
    )
]
print("stream:", "".join(pieces))
answer = litellm.completion(
    model=f"anthropic/{MODEL}",
    messages=QUESTION,
    max_tokens=20,
    api_base=os.environ["BASE"],
    api_key="berth",
)
print("by Anthropic's dialect:", answer.choices[0].message.content)
try:
    litellm.completion(model="openai/nobody", messages=QUESTION, **TO)
    raise SystemExit("an unknown model was not refused")
except litellm.NotFoundError as error:
    print("unknown model:", type(error).__name__, str(error)[:120])

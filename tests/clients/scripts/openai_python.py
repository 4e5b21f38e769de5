"""The official openai package."""

import os

import openai

MODEL, CALLER = os.environ["MODEL"], os.environ["CALLER"]
client = openai.OpenAI(base_url=f"{os.environ['BASE']}/v1", api_key="berth", max_retries=0)
QUESTION = [{"role": "user", "content": "What is the capital of France? One word."}]

print("openai", openai.__version__)
print("models:", [model.id for model in client.models.list()])
print("model:", client.models.retrieve(MODEL).id)

answer = client.chat.completions.create(
    model=MODEL, messages=QUESTION, max_completion_tokens=20, temperature=0, logprobs=True
)
print("chat:", answer.choices[0].message.content, answer.choices[0].finish_reason, answer.usage)
assert answer.choices[0].logprobs.content

pieces, usage = [], None
for chunk in client.chat.completions.create(
    model=MODEL,
    messages=[{"role": "developer", "content": "Answer in French."}, *QUESTION],
    stream=True,
    stream_options={"include_usage": True},
    max_tokens=20,
    temperature=0,
):
    pieces += [choice.delta.content or "" for choice in chunk.choices]
    usage = chunk.usage or usage
print("chat stream:", "".join(pieces), usage.completion_tokens)
assert usage.completion_tokens > 0

schema = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["city", "people"],
    "additionalProperties": False,
}
answer = client.chat.completions.create(
    model=MODEL,
    messages=[{"role": "user", "content": "Paris and how many people live there, as JSON."}],
    response_format={
        "type": "json_schema",
        "json_schema": {"name": "city", "schema": schema, "strict": True},
    },
    max_tokens=60,
)
print("schema:", answer.choices[0].message.content)

tool = {
    "type": "function",
    "function": {
        "name": "bash",
        "description": "Runs a command",
        "parameters": {"type": "object", "properties": {"command": {"type": "string"}}},
    },
}
turns = [{"role": "user", "content": "Make a file."}]
answer = client.chat.completions.create(model=CALLER, messages=turns, tools=[tool], stream=True)
calls = [
    call for chunk in answer for choice in chunk.choices for call in choice.delta.tool_calls or []
]
print("tool call:", calls[0].function.name, calls[0].function.arguments)

answer = client.completions.create(model=MODEL, prompt="One, two, three,", max_tokens=6)
print("completions:", repr(answer.choices[0].text))

answer = client.responses.create(
    model=MODEL, input="What is the capital of Spain? One word.", max_output_tokens=20
)
print("responses:", answer.output_text, answer.status)
kinds = []
for event in client.responses.create(
    model=MODEL,
    input="Count to three.",
    stream=True,
    max_output_tokens=20,
    instructions="Be brief.",
):
    kinds.append(event.type)
print("responses stream:", kinds[0], "…", kinds[-1])
assert kinds[-1] in ("response.completed", "response.incomplete")

for name, wrong in {
    "unknown model": {"model": "nobody", "messages": QUESTION},
    "too many": {"model": MODEL, "messages": QUESTION, "n": 1_000},
    "a grammar": {"model": MODEL, "messages": QUESTION, "extra_body": {"grammar": "root ::= x"}},
}.items():
    try:
        client.chat.completions.create(**wrong)
        raise SystemExit(f"{name} was not refused")
    except openai.APIStatusError as error:
        print(f"{name}:", type(error).__name__, error.status_code, error.body["message"])
raw = client.chat.completions.with_raw_response.create(
    model=MODEL, messages=QUESTION, max_tokens=4, user="me", metadata={"a": "b"}
)
print("left out:", raw.headers["berth-ignored"])

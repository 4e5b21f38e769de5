"""The official anthropic package."""

import os

import anthropic

MODEL, CALLER = os.environ["MODEL"], os.environ["CALLER"]
client = anthropic.Anthropic(base_url=os.environ["BASE"], api_key="berth", max_retries=0)
QUESTION = [{"role": "user", "content": "What is the capital of France? One word."}]

print("anthropic", anthropic.__version__)
answer = client.messages.create(model=MODEL, max_tokens=20, messages=QUESTION, system="Be brief.")
print("messages:", answer.content[0].text, answer.stop_reason, answer.usage.output_tokens)

story = [{"role": "user", "content": "Tell a long story about the sea."}]
answer = client.messages.create(model=MODEL, max_tokens=5, messages=story)
print("cut:", answer.stop_reason)
assert answer.stop_reason == "max_tokens"

with client.messages.stream(model=MODEL, max_tokens=20, messages=QUESTION) as stream:
    print("stream:", "".join(stream.text_stream), stream.get_final_message().stop_reason)

counted = client.messages.count_tokens(model=MODEL, messages=QUESTION)
print("count_tokens:", counted.input_tokens)

tool = {
    "name": "bash",
    "description": "Runs a command",
    "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}},
}
turns = [{"role": "user", "content": "Make a file."}]
with client.messages.stream(model=CALLER, max_tokens=50, messages=turns, tools=[tool]) as stream:
    answer = stream.get_final_message()
use = answer.content[0]
print("tool use:", use.name, use.input, answer.stop_reason)
result = {"type": "tool_result", "tool_use_id": use.id, "content": "done"}
turns += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
with client.messages.stream(model=CALLER, max_tokens=50, messages=turns, tools=[tool]) as stream:
    print("after it:", stream.get_final_message().content[0].text)

try:
    client.messages.create(model="nobody", max_tokens=5, messages=QUESTION)
    raise SystemExit("an unknown model was not refused")
except anthropic.NotFoundError as error:
    print("unknown model:", type(error).__name__, error.body["error"]["message"])

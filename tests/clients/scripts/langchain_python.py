"""LangChain."""

import importlib.metadata
import os

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

BASE = f"{os.environ['BASE']}/v1"
MODEL, CALLER = os.environ["MODEL"], os.environ["CALLER"]


class City(BaseModel):
    """A city."""

    city: str
    country: str


@tool
def bash(command: str) -> str:
    """Run a command."""
    return command


print("langchain-openai", importlib.metadata.version("langchain-openai"))
chat = ChatOpenAI(model=MODEL, base_url=BASE, api_key="berth", max_retries=0, temperature=0)
answer = chat.invoke("What is the capital of France? One word.")
print("invoke:", answer.content, answer.usage_metadata)
print("stream:", "".join(str(piece.content) for piece in chat.stream("Say hello.", max_tokens=10)))
print("structured:", chat.with_structured_output(City).invoke("Rome is the capital of Italy."))
newer = ChatOpenAI(model=MODEL, base_url=BASE, api_key="berth", use_responses_api=True)
print("responses:", newer.invoke("What is the capital of Spain? One word.").content)
caller = ChatOpenAI(model=CALLER, base_url=BASE, api_key="berth", streaming=True).bind_tools([bash])
print("tool calls:", caller.invoke("Make a file.").tool_calls)

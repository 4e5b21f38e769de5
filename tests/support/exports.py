"""Files as ChatGPT and Open WebUI export them, small ones."""

import io
import json
import zipfile
from typing import Any


def chatgpt(title: str = "Capitals", answer: str = "Paris.") -> dict[str, Any]:
    """A conversation with an answer given twice, hidden and tool messages, and a picture."""
    nodes: dict[str, Any] = {"root": {"message": None, "parent": None, "children": ["sys"]}}

    def add(name: str, parent: str, role: str, parts: list[Any], **more: Any) -> None:
        content = {"content_type": "text", "parts": parts, **more.pop("content", {})}
        message = {"author": {"role": role}, "content": content, "metadata": {}, **more}
        nodes[name] = {"id": name, "message": message, "parent": parent, "children": []}

    add("sys", "root", "system", [""], metadata={"is_visually_hidden_from_conversation": True})
    add("q1", "sys", "user", ["The capital of France?"])
    add("a1", "q1", "assistant", [answer], metadata={"model_slug": "gpt-5", "citations": [1, 2]})
    add("a1b", "q1", "assistant", ["It is Paris."], metadata={"model_slug": "gpt-4o"})
    picture = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://x"}
    add("q2", "a1b", "user", [picture, "And this?"], content={"content_type": "multimodal_text"})
    thoughts = {"content_type": "thoughts", "thoughts": [{"summary": "s", "content": "A map."}]}
    add("t2", "q2", "assistant", [], content=thoughts)
    add("code", "t2", "assistant", ["search()"], recipient="browser")
    add("tool", "code", "tool", ["found"])
    add("a2", "tool", "assistant", ["Italy."], metadata={"model_slug": "gpt-5"})
    add("a2c", "a2", "assistant", ["Rome is its capital."], metadata={"model_slug": "gpt-5"})
    return {
        "title": title,
        "create_time": 1.7e9,
        "update_time": 1.7e9 + 60,
        "mapping": nodes,
        "current_node": "a2c",
        "conversation_id": f"c-{title}",
    }


def chatgpt_zip(*conversations: dict[str, Any]) -> bytes:
    """The whole file that ChatGPT sends, its pictures too."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("chat.html", "<html>" * 1000)
        archive.writestr("file-x-picture.png", bytes(range(256)) * 50)
        archive.writestr("conversations.json", json.dumps(list(conversations)))
    return output.getvalue()


def open_webui(title: str = "Rivers") -> dict[str, Any]:
    """A conversation with two models' answers, thoughts in the text, and a file."""
    thought = (
        '<details type="reasoning" done="true">\n<summary>Thought</summary>\n> Hm.\n</details>\n'
    )
    messages = {
        "q": {"role": "user", "content": "The longest river?", "parentId": None},
        "a": {
            "role": "assistant",
            "content": f"{thought}The Nile.",
            "parentId": "q",
            "model": "llama3",
        },
        "b": {
            "role": "assistant",
            "content": "The Amazon.",
            "parentId": "q",
            "modelName": "Qwen 3",
        },
        "q2": {"role": "user", "content": "Sure?", "parentId": "b", "files": [{"type": "image"}]},
    }
    return {
        "id": f"id-{title}",
        "title": title,
        "updated_at": 1_700_000_000,
        "pinned": True,
        "chat": {"title": title, "history": {"messages": messages, "currentId": "q2"}},
    }

"""Two questions in a row with the real engine and a template that refuses them."""

import pytest

from lib.chat import replies
from lib.chat.reply import ReplyRequest, ReplyState
from lib.core.errors import EngineError
from lib.core.settings import settings
from lib.engines.base import ChatOptions, Message, StartOptions
from lib.engines.llamacpp import ENGINE
from tests.support.tiny_gguf import write_tiny

TEMPLATE = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate') }}{% endif %}"
    "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
ASKED = tuple(Message(role="user", content=text) for text in ("Stopped", "Again"))
FEW = ChatOptions(max_tokens=3)


def test_the_chat_works_and_what_the_engine_itself_says_is_in_words() -> None:
    write_tiny(settings().home / "models" / "strict.gguf", template=TEMPLATE)
    ENGINE.start("strict", StartOptions())
    try:
        request = ReplyRequest(
            conversation="c", owner="me", model="strict", messages=ASKED, options=FEW
        )
        reply = replies.start(request)
        assert reply.wait(30)
        assert reply.state == ReplyState.DONE
        with pytest.raises(EngineError) as refused:
            list(ENGINE.chat("strict", ASKED, FEW))
        assert refused.value.message.startswith("This model's template takes questions and answers")
    finally:
        ENGINE.stop("strict")

"""What a model is really sent of a conversation: in the order that its template takes, and without
pictures that it cannot see.

Many templates refuse all but question and answer in turn, the first a question. Two of one role
stand in a row after a reply that was stopped or failed before its first word, that was reasoning
alone, or whose question is gone. What was said stays as it is in the conversation: only what is
sent is made to fit.
"""

from collections.abc import Iterator, Sequence

from lib.chat.schemas import rewritten
from lib.engines import engine_of, llamacpp
from lib.engines.base import ChatOptions, DeltaStream, Message, Model

UNSEEN = "(A picture was attached here, which you cannot see.)"  # in place of a question's words


def ask(
    model: Model, messages: Sequence[Message], options: ChatOptions, with_images: bool
) -> DeltaStream:
    """Chat where the model can; otherwise it goes on with the text of the last messages."""
    engine = engine_of(model)
    if model.can_chat:
        return engine.chat(model.name, fitted(messages, with_images), _held(model, options))
    is_begun = messages[-1].role == "assistant"
    last = messages[-2:] if is_begun and messages[-1].content else messages[-1:]
    return engine.complete(model.name, "".join(each.content for each in last), options)


def _held(model: Model, options: ChatOptions) -> ChatOptions:
    """The built-in engine gets a schema so that it is held to it; others have their own ways."""
    if options.json_schema is None or model.engine != llamacpp.NAME:
        return options
    return options.model_copy(update={"json_schema": rewritten(options.json_schema).schema})


def fitted(messages: Sequence[Message], can_see: bool) -> tuple[Message, ...]:
    """The messages as this model can take them: roles in turn, neighbours of one role as one."""
    seen = messages if can_see else [_without_images(message) for message in messages]
    return tuple(_in_turn(seen))


def left_out(messages: Sequence[Message], can_see: bool) -> int:
    """How many pictures a model is not sent because it cannot see."""
    return 0 if can_see else sum(len(message.images) for message in messages)


def _without_images(message: Message) -> Message:
    if not message.images:
        return message
    return message.model_copy(update={"images": (), "content": message.content or UNSEEN})


def _in_turn(messages: Sequence[Message]) -> Iterator[Message]:
    """An answer that nothing was asked for is passed over, unless it is to be gone on with."""
    held: Message | None = None
    has_asked = False
    for number, message in enumerate(messages):
        is_last = number == len(messages) - 1
        has_asked = has_asked or message.role == "user"
        if message.role == "assistant" and not has_asked and not is_last:
            continue
        if held and held.role == message.role:
            # What a reply goes on from has to stay letter for letter, or its echo is not known.
            held = message if is_last and message.role == "assistant" else _joined(held, message)
            continue
        if held:
            yield held
        held = message
    if held:
        yield held


def _joined(first: Message, second: Message) -> Message:
    content = "\n\n".join(part for part in (first.content, second.content) if part)
    return second.model_copy(update={"content": content, "images": first.images + second.images})

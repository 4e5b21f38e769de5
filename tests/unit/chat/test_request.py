"""What a reply answers, and which part of it is kept with the reply."""

from lib.chat.request import LOOKED_FOR, ReplyRequest
from lib.engines.base import Message


def request(*roles: str, system: bool = True) -> ReplyRequest:
    spoken = [
        Message.model_validate({"role": role, "content": str(n)}) for n, role in enumerate(roles)
    ]
    first = [Message(role="system", content="Be brief")] if system else []
    return ReplyRequest(
        conversation="c",
        owner="me",
        model="m",
        messages=(*first, *spoken),
        turns=tuple(f"turn{n}" for n in range(len(roles))),
    )


TALK = ("user", "assistant") * 20


def test_what_a_reply_before_is_kept_with_is_not_kept_again() -> None:
    rest = request(*TALK, "user").rest({"turn39"}.__contains__)
    assert [message.content for message in rest.messages] == ["40"]
    assert (rest.turns, rest.before) == (("turn40",), "turn39")


def test_what_it_goes_on_from_is_among_the_rest() -> None:
    rest = request(*TALK, "user", "assistant").rest({"turn39", "turn41"}.__contains__)
    assert rest.turns == ("turn40", "turn41")
    assert rest.beginning == "41"


def test_where_none_of_the_last_is_kept_all_is() -> None:
    whole = request(*TALK, "user")
    asked: list[str] = []

    def is_kept(turn: str) -> bool:
        asked.append(turn)
        return False

    assert whole.rest(is_kept) is whole
    assert len(asked) == LOOKED_FOR
    assert whole.rest({"turn1"}.__contains__) is whole


def test_messages_without_ids_are_kept_as_they_are() -> None:
    bare = request("user", "assistant", "user").model_copy(update={"turns": ()})
    assert bare.rest(lambda turn: True) is bare

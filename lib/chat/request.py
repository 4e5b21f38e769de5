"""What a reply answers, and where it is drawn."""

from collections.abc import Callable
from typing import NamedTuple

from lib.core.values import Frozen
from lib.engines.base import ChatOptions, Message, StartOptions

LOOKED_FOR = 3  # so many of the replies before


class ReplyRequest(Frozen):
    """What to answer, for whom. A last message that is an assistant's is gone on from."""

    conversation: str
    owner: str
    model: str
    engine: str = ""
    messages: tuple[Message, ...]
    options: ChatOptions = ChatOptions()
    load: StartOptions = StartOptions()  # for a model that does not run yet
    turns: tuple[str, ...] = ()  # the ids of the messages in the conversation, without the system's
    before: str = ""  # the reply that is before them, where what it answered is kept with that one
    parent: str = ""  # the id of the question
    round: str = ""  # replies that are compared share one
    leaves_out_images: bool = False  # where the model cannot see; else that is refused
    lane: int = 0  # its place among those that are written side by side

    @property
    def place(self) -> "Place":
        """Where on whose page it is drawn."""
        return Place(self.conversation, self.owner, self.lane)

    @property
    def beginning(self) -> str:
        """The text that is gone on from; empty for a new answer."""
        last = self.messages[-1]
        return last.content if last.role == "assistant" else ""

    def rest(self, is_kept: Callable[[str], bool]) -> "ReplyRequest":
        """Without the messages that are kept with one of the last replies among them."""
        spoken = [message for message in self.messages if message.role != "system"]
        if len(spoken) != len(self.turns):
            return self
        answers = [at for at, one in enumerate(spoken[:-1]) if one.role == "assistant"]
        for at in answers[: -LOOKED_FOR - 1 : -1]:
            if is_kept(self.turns[at]):
                rest = {"messages": tuple(spoken[at + 1 :]), "turns": self.turns[at + 1 :]}
                return self.model_copy(update={**rest, "before": self.turns[at]})
        return self


class Place(NamedTuple):
    """Where replies appear: a lane of a conversation of one owner."""

    conversation: str
    owner: str
    lane: int = 0

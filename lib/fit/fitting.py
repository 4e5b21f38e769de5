"""A model, how it is to be loaded, and the memory there is: what every judgement needs."""

from collections.abc import Sequence
from typing import NamedTuple, Self

from lib.fit import memory
from lib.fit.architecture import Geometry
from lib.fit.file_names import Variant
from lib.fit.memory import COMFORTABLE, FULL, LEAST_CONTEXT, Choice, Load, Need, Room, Verdict


class Fitting(NamedTuple):
    """The three together; everything asked of it is computed by lib/fit/memory.py."""

    model: Geometry
    load: Load
    room: Room

    @property
    def need(self) -> Need:
        """The memory the model takes when loaded so."""
        return memory.need(self.model, self.load)

    @property
    def verdict(self) -> Verdict:
        """Whether that fits, and if not, what would."""
        return memory.verdict(self.model, self.load, self.room)

    def choices(self, variants: Sequence[Variant]) -> list[Choice]:
        """Every variant of the model with its verdict."""
        return memory.choices(variants, self.model, self.load, self.room)

    def stored_in(self, variant: Variant) -> Self:
        """The same with the model in this variant."""
        return self._replace(model=self.model.stored_in(variant.bytes))

    def tokens_per_second(self, bytes_per_second: float) -> float:
        """The most that this memory bandwidth allows."""
        return memory.tokens_per_second(self.model, self.load, bytes_per_second)

    def context_within(self, share: float) -> int:
        """The longest context, up to the load's own, that takes this share of the free memory."""
        if self.need.total <= share * self.room.free_bytes:
            return self.load.context
        free = int(self.room.free_bytes * share / FULL)
        return min(self.load.context, memory.largest_context(self.model, self.load, free))

    def made_comfortable(self) -> Self:
        """With as much less context as it takes to leave other programs some room.

        Unchanged where that would be less than a conversation needs: then a smaller quantization
        or a smaller cache is for a person to choose, or that little context.
        """
        for share in (COMFORTABLE, FULL):
            context = self.context_within(share)
            if context == self.load.context:
                return self
            if context >= LEAST_CONTEXT:
                return self._replace(load=self.load.model_copy(update={"context": context}))
        return self

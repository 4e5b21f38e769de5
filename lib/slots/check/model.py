"""The model itself: what the Hub says of it, what vLLM can serve, and whether the cards hold it."""

from collections.abc import Iterator, Sequence

from lib.core.errors import BerthError, DoesNotFit
from lib.engines.vllm.parsers import parsers_for
from lib.fit.card_checks import CardRoom
from lib.fit.card_memory import CardVerdict, Serving, judge
from lib.fit.ways_out import nearest
from lib.hub.checkpoints import HubCheckpoint
from lib.hub.templates import chat_template
from lib.slots.plan import Estimate
from lib.slots.request import SlotRequest

MOST_WAYS = 3


def serving(request: SlotRequest, usual_num_seqs: int | None) -> Serving:
    """How the arithmetic is asked; `usual_num_seqs` is what this machine's administrator wants."""
    wanted = Serving(
        context=request.context,
        utilization=request.utilization,
        cards=request.tensor_parallel,
        text_only=request.is_text_only,
        kv_dtype=request.kv_cache or "auto",
        quantize=request.quantization,
    )
    number = request.max_num_seqs or usual_num_seqs
    return wanted.model_copy(update={"max_num_seqs": number}) if number else wanted


def verdict(found: HubCheckpoint, wanted: Serving, rooms: Sequence[CardRoom]) -> CardVerdict:
    """Whether it fits, and with what."""
    return judge(found.checkpoint, wanted, rooms)


def fit(
    found: HubCheckpoint, wanted: Serving, rooms: Sequence[CardRoom], said: CardVerdict
) -> Iterator[BerthError]:
    """DoesNotFit with the numbers and the nearest ways that do."""
    if said.fits:
        return
    ways = nearest(found.checkpoint, wanted, rooms, MOST_WAYS)
    offered = " ".join(way.sentence for way in ways)
    fix = offered or "Choose a smaller model, a quantized one, or a larger card."
    for refusal in said.refusals or (said.sentence,):
        yield DoesNotFit(f"{found.repo} does not fit. {refusal}", fix)


def estimate(said: CardVerdict) -> Estimate:
    """What is expected of the card."""
    return Estimate(
        sentence=f"{said.word}. {said.sentence}",
        context=said.context,
        kv_tokens=said.kv_tokens,
        conversations=said.conversations,
    )


def parsers(found: HubCheckpoint) -> tuple[str, ...]:
    """The engine's arguments for tools and thinking, which it does not choose by itself."""
    paths = [file.path for file in found.files]
    template = chat_template(found.repo, found.sha, paths)
    return tuple(parsers_for(found.checkpoint.model_type, template).arguments())

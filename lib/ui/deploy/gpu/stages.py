"""How far an engine's start has come, drawn: its steps, how long it still takes, what is loaded."""

import time

import streamlit as st

from lib.core import words
from lib.engines.vllm.stages import Step
from lib.jobs import events
from lib.jobs.jobs import Job
from lib.slots.told import SHOWN, Start, start_told

NAMES = {
    Step.PROGRAM: "Program",
    Step.WEIGHTS: "Weights",
    Step.COMPILE: "Compiling",
    Step.CACHE: "Cache",
    Step.GRAPHS: "Graphs",
}
DOING = {
    Step.PROGRAM: "Starting the program",
    Step.WEIGHTS: "Loading the weights",
    Step.COMPILE: "Measuring and compiling",
    Step.CACHE: "Making room for conversations",
    Step.GRAPHS: "Recording CUDA graphs",
}


def bar(job: Job) -> bool:
    """The bar of a start that is under way; False where none is."""
    told = start_told(events.read(job.folder / "events.jsonl"))
    if told is None:
        return False
    now = time.time()
    st.progress(told.share(now), text=f"**{DOING[told.step]}** · {_left(told, now)}")
    st.caption(_steps(told, now))
    return True


def _left(told: Start, now: float) -> str:
    """`about 1 min 20 s left`; where it takes longer than that, how long it has taken."""
    if told.ready_at is None:
        return f"for {words.duration(now - told.began)}"
    left = told.ready_at - now
    if left > 0:
        return f"about {words.duration(max(left, 1.0))} left"
    return f"takes longer than expected: {words.duration(now - told.began)} so far"


def _steps(told: Start, now: float) -> str:
    """`✓ Program 12 s   ● Weights 3.1 GB of 15.2 GB   ○ Compiling`."""
    ends = [at for _, at in told.steps[1:]] + [now]
    seconds = {step: end - at for (step, at), end in zip(told.steps, ends, strict=True)}
    parts = [_step(step, told, seconds.get(step)) for step in SHOWN]
    return "&emsp;".join(part.replace(" ", "&nbsp;") for part in parts)


def _step(step: Step, told: Start, seconds: float | None) -> str:
    """One that went by unseen between two looks is done too, in no time worth a word."""
    took = "" if seconds is None else f" {words.duration(seconds)}"
    if step == told.step:
        return f":blue[**● {NAMES[step]}**]{_amount(told)}{took}"
    if SHOWN.index(step) < SHOWN.index(told.step):
        return f":green[✓] {NAMES[step]}{took}"
    return f":gray[○ {NAMES[step]}]"


def _amount(told: Start) -> str:
    if told.step != Step.WEIGHTS or not told.total:
        return ""
    return f" {words.disk(told.done)} of {words.disk(told.total)},"

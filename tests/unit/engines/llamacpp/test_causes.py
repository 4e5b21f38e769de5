"""Why the built-in engine's child ended, told from its log and its exit code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.engines.llamacpp.causes import PortTaken, explain
from lib.processes.background import ProgramFault

NO_MAGIC = "0.00.006.216 E gguf_init_from_reader: invalid magic characters: '?Ues', expected 'GGUF'"
CUT = (
    "0.00.134.907 E llama_model_load: error loading model: tensor 'blk.13.ffn_gate.weight' data is"
    " not within the file bounds, model is corrupted or incomplete"
)
NO_KV = (
    "0.03.183.566 E llama_init_from_model: failed to initialize the context: failed to allocate"
    " buffer for kv cache"
)
NO_FILE = (
    "0.00.003.631 E gguf_init_from_file: failed to open GGUF file 'x.gguf' (No such file or"
    " directory)"
)
STRANGE = "0.00.017.448 E llama_model_load: error loading model: unknown model architecture: 'zork'"
NO_OPENMP = "ImportError: libgomp.so.1: cannot open shared object file: No such file or directory"
NO_CUDA = (
    "./llama-server: error while loading shared libraries: libcudart.so.12: cannot open shared"
    " object file: No such file or directory"
)
NO_METAL = "dyld[123]: Library not loaded: @rpath/libggml.dylib\n  Referenced from: <1> /x"
ASSERTED = "/src/ggml.c:12: GGML_ASSERT(a != NULL) failed"
REQUEST = "0.04.923.779 E srv    send_error: task id = 15, error: request (9030 tokens) exceeds"
READY = "0.00.009.549 I srv          init: listening on http://127.0.0.1:35901\n"
ANSWERED = (
    "0.04.876.091 I slot launch_slot_: id  0 | task 5 | processing task, is_child = 0\n"
    "0.04.876.615 I slot      release: id  0 | task 5 | stop processing: n_tokens = 1\n"
)
# As the engine wrote them for requests that were answered with 400 or 500, and for one whose
# grammar has the words of other failures in it.
REFUSED = """\
0.04.869.279 E srv    send_error: task id = 0, error: request (200019 tokens) exceeds the \
available context size (1024 tokens), try increasing it
0.04.872.420 W srv    operator(): got exception: {"error":{"code":400,"message":"JSON schema error \
at #: cannot resolve $ref #/out of memory","type":"invalid_request_error"}}
0.04.873.643 W srv    operator(): got exception: {"error":{"code":500,"message":"image input is \
not supported","type":"server_error"}}
parse: error parsing grammar: expecting ')' at

root ::= (
RuntimeError: std::bad_alloc GGML_ASSERT Address already in use
0.04.874.962 E failed to parse grammar
0.04.874.972 E srv    send_error: task id = 3, error: Failed to initialize samplers: failed to \
parse grammar
0.04.874.973 E srv  process_sing: failed to launch slot with task, id_task = 3
"""
OTHER = "0.00.1 E cmn common_init: the moon is in the wrong house"


@pytest.mark.parametrize(
    ("log", "code", "message"),
    [
        (NO_MAGIC, 1, "not a GGUF model"),
        (CUT, 1, "cut short or corrupt"),
        (NO_KV, 1, "memory for the context"),
        (NO_FILE, 1, "could not be opened: No such file or directory"),
        (STRANGE, 1, "does not know the architecture “zork”"),
        (NO_OPENMP, 1, "libgomp"),
        ("std::bad_alloc", -6, "memory for the model"),
        ("ModuleNotFoundError: No module named 'xllamacpp'", 1, "is not installed"),
        ("/opt/llama-server cannot be run: No such file or directory.", 1, "cannot be run"),
        (NO_CUDA, 127, "needs the library libcudart.so.12, which"),
        (NO_METAL, -6, "needs the library @rpath/libggml.dylib, which"),
        ("error: invalid argument: --zork\n", 1, "does not know the option --zork"),
        (ASSERTED, -6, "(signal 6): /src/ggml.c:12: GGML_ASSERT"),
        (OTHER, 1, "(exit code 1): cmn common_init: the moon is in the wrong house."),
        (f"{REQUEST}\n", -11, "The engine ended (signal 11)."),
        ("", 0, "The engine ended (exit code 0)."),
        ("", None, "The engine ended."),
        ("", -9, "(signal 9): something outside Berth ended it, perhaps because memory ran out"),
        (CUT, -9, "(signal 9)"),
        ("", -4, "(signal 4): this build uses instructions"),
        ("", -15, "(signal 15): something outside Berth ended it"),
    ],
)
def test_the_cause_is_told_in_words(log: str, code: int | None, message: str) -> None:
    error = explain(log, code)
    assert message in error.message
    assert error.fix


@pytest.mark.parametrize(
    ("log", "code"), [(STRANGE, 1), (NO_CUDA, 127), (ASSERTED, -6), ("", -4), ("", -11), ("", 3)]
)
def test_what_another_program_may_do_better_is_the_programs_fault(log: str, code: int) -> None:
    assert isinstance(explain(log, code), ProgramFault)


@pytest.mark.parametrize(
    ("log", "code"), [(NO_MAGIC, 1), (CUT, 1), (NO_KV, 1), ("bad_alloc", -6), ("", -9), ("", -15)]
)
def test_what_no_program_can_help_is_not_the_programs_fault(log: str, code: int) -> None:
    assert not isinstance(explain(log, code), ProgramFault)


def test_the_first_error_is_the_cause_of_the_later_ones() -> None:
    log = f"{OTHER}\n0.00.2 E srv load_model: failed to load model\nRuntimeError: Failed to init"
    assert "wrong house" in explain(log, 1).message


@pytest.mark.parametrize(
    ("log", "message"),
    [
        (READY + REFUSED, "The engine ended (signal 11)."),
        (READY + REFUSED + ASSERTED, "(signal 11): /src/ggml.c:12: GGML_ASSERT"),
        (READY + ANSWERED + REFUSED + ANSWERED, "The engine ended (signal 11)."),
        (REFUSED + ANSWERED + ASSERTED, "(signal 11): /src/ggml.c:12: GGML_ASSERT"),
        (REFUSED, "The engine ended (signal 11)."),  # the log was cut to its end
        (f"{OTHER}\n{READY}", "The engine ended (signal 11)."),
        (f"{READY}{NO_KV}\n{READY}{ANSWERED}{OTHER}", "the moon is in the wrong house"),
    ],
)
def test_what_was_said_before_all_was_well_and_of_refused_requests_is_no_cause(
    log: str, message: str
) -> None:
    assert message in explain(log, -11).message
    assert not isinstance(explain(log, -11), PortTaken)


def test_a_port_that_somebody_took_is_told_apart() -> None:
    log = "0.00.1 E srv start: couldn't bind HTTP server socket, hostname: 127.0.0.1, port: 9455"
    assert isinstance(explain(log, 1), PortTaken)


def test_a_server_that_could_not_begin_is_put_down_to_its_port_where_nothing_else_is_known() -> (
    None
):
    log = "RuntimeError: Failed to init server, please check the input params"
    assert isinstance(explain(log, 1), PortTaken)
    for known in ("error: unknown projector type: 'x'", "0.00.2 E srv load_model: failed"):
        assert not isinstance(explain(f"{known}\n{log}", 1), PortTaken)


@given(st.text(), st.none() | st.integers(-64, 255))
def test_every_end_has_a_cause(log: str, code: int | None) -> None:
    assert explain(log, code).message.endswith(".")


def test_the_signals_that_explain_themselves_are_signals() -> None:
    for code in range(1, 65):
        assert f"signal {code}" in explain("", -code).message


@pytest.mark.parametrize(
    ("ran_out", "said"),
    [
        (True, "the system ended it because memory ran out"),
        (False, "no lack of memory was counted"),
        (None, "perhaps because memory ran out"),
    ],
)
def test_memory_is_blamed_on_evidence_alone(ran_out: bool | None, said: str) -> None:
    assert said in explain(CUT, -9, ran_out).message

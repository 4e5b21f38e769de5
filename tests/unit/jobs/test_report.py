"""What a person in a terminal, and what a log, gets to see."""

import io
import time

from lib.jobs.report import LINE_SECONDS, REDRAW_SECONDS, Report


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_one_line_that_is_drawn_again() -> None:
    out = Terminal()
    report = Report(out)
    report.begin("download", "Downloading.")
    for done in (0, 1_000_000, 2_000_000):
        report.progress(done, 4_000_000, "from the Hub")
        time.sleep(REDRAW_SECONDS)
    report.end("It arrived.")
    text = out.getvalue()
    assert text.startswith("Downloading.\n\r  1.0 MB of 4.0 MB (25%)")
    assert text.count("\n") == 2
    assert "\r  2.0 MB of 4.0 MB (50%)" in text
    assert text.endswith(" \rIt arrived.\n")


def test_a_log_gets_whole_lines_and_few_of_them() -> None:
    out = io.StringIO()
    report = Report(out)
    report.begin("download", "Downloading.")
    for done in range(100):
        report.progress(done, 100)
    report.end()
    assert out.getvalue() == "Downloading.\n"
    assert LINE_SECONDS > REDRAW_SECONDS


def test_of_an_unknown_size_only_what_came_is_told() -> None:
    out = Terminal()
    report = Report(out)
    report.begin("download", "Downloading.")
    report.progress(0, 0)
    time.sleep(REDRAW_SECONDS)
    report.progress(5_000_000, 0)
    assert "\r  5.0 MB · " in out.getvalue()
    assert "left" not in out.getvalue()


def test_the_end_of_no_phase_is_a_line_alone() -> None:
    out = io.StringIO()
    Report(out).end("Over.")
    assert out.getvalue() == "Over.\n"

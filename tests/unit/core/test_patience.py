"""Who may wait for an engine, and for how long."""

import threading

from lib.core import patience


def test_only_a_command_may_wait_longer_than_a_page() -> None:
    assert patience.seconds() <= 0.5
    assert not patience.is_a_commands()
    with patience.of_a_command():
        assert patience.is_a_commands()
    assert not patience.is_a_commands()


def test_what_a_command_does_changes_nothing_for_pages_beside_it() -> None:
    seen = []
    with patience.of_a_command():
        page = threading.Thread(target=lambda: seen.append(patience.seconds()))
        page.start()
        page.join()
    assert seen == [patience.PAGE_SECONDS]

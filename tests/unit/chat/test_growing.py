"""A text while it is written, and read by others."""

import threading

from lib.chat.growing import Growing


def test_it_is_its_pieces_in_their_order() -> None:
    text = Growing()
    assert str(text) == "" and text.length == 0
    for piece in ("a", "bc", "", "d"):
        text.add(piece)
    assert (str(text), str(text), text.length) == ("abcd", "abcd", 4)
    text.add("e")
    assert str(text) == "abcde"


def test_nothing_is_lost_to_whoever_reads_meanwhile() -> None:
    text, is_over = Growing(), threading.Event()

    def read() -> None:
        while not is_over.is_set():
            str(text)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for _ in range(5_000):
        text.add("x")
    is_over.set()
    for reader in readers:
        reader.join()
    assert str(text) == "x" * 5_000

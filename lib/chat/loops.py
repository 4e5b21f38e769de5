"""Notices a reply that has begun to repeat itself: a small model may write one phrase for ever.

Two signs, both followed a piece at a time at a cost that does not grow with the reply:

- The text is periodic: its end equals what stands one period before it, for a long while.
- In prose, the last few hundred words consist of a handful of phrases, in whatever order, though
  their numbers count on.

What people ask for is left alone: tables, lists of numbers, arrays, code and refrains do so little
of it, or have more room. A phrase of the question may be repeated far longer.
"""

import re
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any

from lib.core.preferences import preferences
from lib.engines.base import Delta, Message

REPEATS = "repetition"  # the finish reason of a reply that was ended for it
GRAM = 16  # characters by which an earlier place is found again
LONGEST_PERIOD = 4_096  # characters
LEAST_RUN = 1_000  # characters that repeat what stands before them
LEAST_TIMES, LEAST_TIMES_LONG, LONG_PERIOD = 6, 4, 300
ONE_WORD_RUN, LONGEST_WORD = 2_000, 6  # of laughter and the like
SIGNS_RUN = 6_000  # of numbers, rules and dots
BLANKS_RUN = 2_000
IN_CODE = 3  # times as long
IF_ASKED = 10  # times as long, where the question has the phrase
WINDOW = 240  # words of prose
PHRASE = 4  # words
MOST_PHRASES = 80  # different ones in the window, where it goes round in circles
IF_WORDS_ASKED = 3_000  # words more, where the question has nearly all of them
LONGEST_LINE = 200  # characters, before a line is judged by what of it is there
COUNTED_LINE = 4  # words at least of a line whose number is passed over
_COUNTER = re.compile(r"(?:[-*]\s+)?(?:\d{1,6}[.):]|#\d{1,6})\s+")
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_NO_PROSE = ("|", "[", "]", "{", "}", "    ", "\t")


class Watcher:
    """Of one reply; thoughts and text are followed apart."""

    def __init__(self, asked: str = "", is_json: bool = False) -> None:
        self._text = _Followed(asked, is_json)
        self._thoughts = _Followed(asked, False)

    def hears(self, delta: Delta) -> bool:
        """Take the next piece; does the reply go round in circles by now?"""
        found = self._thoughts.takes(delta.reasoning) if delta.reasoning else False
        return (self._text.takes(delta.text) if delta.text else False) or found


def watcher(messages: Sequence[Message], json_schema: Any) -> Watcher | None:
    """For the answer to this conversation; None where the owner has switched it off."""
    if not preferences().stops_repetition:
        return None
    asked = next((m.content for m in reversed(messages) if m.role == "user"), "")
    return Watcher(asked, json_schema is not None)


class _Followed:
    """One text as it grows."""

    def __init__(self, asked: str, is_json: bool) -> None:
        self._period = _Period()
        self._circle = _Circle(asked)
        self._asked = _words(asked)
        self._has_number = any(one.isdigit() for one in asked)
        self._is_json = is_json
        self._line = ""
        self._is_begun = False  # was the beginning of this line taken already?
        self._is_prose = True
        self._is_code = False
        self._judged = (0, 0.0)  # a period, and how much of it is needed

    def takes(self, text: str) -> bool:
        self._period.takes(text)
        is_circle = self._takes_lines(text)
        return is_circle or self._is_periodic()

    def _takes_lines(self, text: str) -> bool:
        """Lines as they end, and of a long one what is whole of it."""
        self._line += text
        *whole, self._line = self._line.split("\n")
        is_circle = False
        for line in whole:
            is_circle = self._takes_line(line) or is_circle
            self._is_begun = False
        if len(self._line) >= LONGEST_LINE:
            cut = self._line.rfind(" ") + 1 or len(self._line)
            is_circle = self._takes_line(self._line[:cut]) or is_circle
            self._line, self._is_begun = self._line[cut:], True
        return is_circle

    def _takes_line(self, line: str) -> bool:
        if not self._is_begun:
            is_fence = bool(_FENCE.match(line))
            self._is_code ^= is_fence
            is_plain = not (is_fence or self._is_code or self._is_json)
            self._is_prose = is_plain and not line.startswith(_NO_PROSE)
            line = _without_counter(line)
        return self._is_prose and self._circle.takes(line)

    def _is_periodic(self) -> bool:
        found = self._period
        if found.run < LEAST_RUN:
            return False
        if self._judged[0] != found.period:
            self._judged = found.period, self._needed(found.unit)
        return found.run >= self._judged[1]

    def _needed(self, unit: str) -> float:
        """How many characters have to repeat what was before them."""
        is_loose = self._is_code or self._is_json
        if not unit.strip():
            return BLANKS_RUN
        if not any(one.isalpha() for one in unit):
            return SIGNS_RUN * (IN_CODE if is_loose else 1)
        words = _cycle(unit)
        times = LEAST_TIMES if len(unit) <= LONG_PERIOD else LEAST_TIMES_LONG
        is_laughter = len(words) < 2 and len("".join(words)) <= LONGEST_WORD
        needed = max(ONE_WORD_RUN if is_laughter else LEAST_RUN, times * len(unit))
        needed *= IN_CODE if is_loose else 1
        return needed * (IF_ASKED if self._is_asked(words) else 1)

    def _is_asked(self, words: list[str]) -> bool:
        """Does the question have the phrase? A single word may stand there by chance."""
        if len(words) < 2:
            word = words[0] if words else ""
            is_counted = self._has_number and word in self._asked
            return is_counted or _has(self._asked, [word, word])
        turns = (words[at:] + words[:at] for at in range(len(words)))
        return any(_has(self._asked, turn) for turn in turns)


class _Period:
    """How much of a text's end repeats what stands one period before it."""

    def __init__(self) -> None:
        self.run = 0
        self.period = 0
        self._tail = ""  # what was last, at least LONGEST_PERIOD once there is so much
        self._length = 0  # of the whole text
        self._seen: dict[str, int] = {}  # where the text was when it ended like this

    @property
    def unit(self) -> str:
        """What is repeated."""
        return self._tail[-self.period :] if self.period else ""

    def takes(self, text: str) -> None:
        for character in text:
            self._take(character)
        if len(self._tail) > 3 * LONGEST_PERIOD:
            self._forget()

    def _take(self, character: str) -> None:
        before = self._tail[-self.period] if self.period else ""
        self._tail += character
        self._length += 1
        gram = self._tail[-GRAM:]
        if before == character:
            self.run += 1
        else:
            period = self._length - self._seen.get(gram, self._length)
            self.period = period if period <= LONGEST_PERIOD else 0
            self.run = GRAM if self.period else 0
        self._seen[gram] = self._length

    def _forget(self) -> None:
        """What is farther away than a period may be; done seldom, so that it costs nothing."""
        self._tail = self._tail[-LONGEST_PERIOD:]
        oldest = self._length - LONGEST_PERIOD
        self._seen = {gram: at for gram, at in self._seen.items() if at > oldest}


class _Circle:
    """How many different phrases the last words are made of."""

    def __init__(self, asked: str) -> None:
        self._asked = {*_words(asked)}
        self._words: deque[str] = deque(maxlen=PHRASE)
        self._phrases: deque[tuple[str, ...]] = deque()
        self._counts: Counter[tuple[str, ...]] = Counter()
        self._round = 0  # words since it goes round

    def takes(self, line: str) -> bool:
        return any(self._takes_word(word) for word in _words(line))

    def _takes_word(self, word: str) -> bool:
        self._words.append(word)
        phrase = tuple(self._words)
        self._phrases.append(phrase)
        self._counts[phrase] += 1
        if len(self._phrases) <= WINDOW:
            return False
        gone = self._phrases.popleft()
        self._counts[gone] -= 1
        if not self._counts[gone]:
            del self._counts[gone]
        is_round = len(self._counts) <= MOST_PHRASES and self._is_prose()
        self._round = self._round + 1 if is_round else 0
        return is_round and self._round > self._patience()

    def _is_prose(self) -> bool:
        """Numbers alone go round for good reasons; of laughter the period tells."""
        words = {word for phrase in self._counts for word in phrase}
        return len(words) > 2 and sum(any(c.isalpha() for c in word) for word in words) * 2 > len(
            words
        )

    def _patience(self) -> int:
        words = {word for phrase in self._counts for word in phrase}
        known = len(words & self._asked)
        return IF_WORDS_ASKED if known * 5 >= len(words) * 4 else 0


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]


def _cycle(unit: str) -> list[str]:
    """The words of what is repeated, once round; it may begin within one of them."""
    four_times = _words(unit * 4)
    count = max(1, len(four_times) // 4)
    return four_times[1 : count + 1] or _words(unit)


def _has(text: list[str], phrase: list[str]) -> bool:
    """Do these words stand in the text one after the other?"""
    return f" {' '.join(phrase)} " in f" {' '.join(text)} "


def _without_counter(line: str) -> str:
    """A list's number says nothing new; where there is little else, it is what the list is of."""
    rest = _COUNTER.sub("", line.lstrip(), count=1)
    return rest if len(rest.split()) >= COUNTED_LINE else line

"""Which encoding from before Unicode a text is in: judged on all of it, the usual ones alone.

An encoding counts only if the whole file can be read in it. Of those, each is asked how much of
what it makes of the bytes beyond ASCII is what its languages are written with: their letters, by
how common they are, or for East Asia the characters that its own table has put first.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

SAMPLE_CHARACTERS = 4_000  # beyond ASCII; more would say nothing new
LEAST_SCORE = 0.45
RARE = 0.4  # what a letter counts that its language has, but seldom
NEUTRAL = 0.7  # a sign that any text may have
MIXED = -1.0  # two scripts in one word, or a capital in the middle of it
MIXED_LANGUAGES = 0.9  # a list of names has letters of several languages

_SIGNS = frozenset("€£°§–—‘’“”„‚«»…•·×²³½¼µ©®™\u00a0\u202f¿¡ªº،؛؟。、「」，：；（）《》")
_WESTERN = (
    "äöüß",
    "éèêëàâçîïôûùœæ",
    "áéíóúñü",
    "ãõáâàçéêíóôú",
    "àèéìòù",
    "åäöæøéü",
    "éëïöüèê",
    "áéíóúýþðæö",
)
_NAMES = "äöüßéèêëàâáãçíîïñóôõúûåøæ"
_CENTRAL = ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîşţ", "čćđšž")
_TURKISH = ("çğıöşüâî",)
_BALTIC = ("ąčęėįšųūž", "āčēģīķļņšūž", "äõöüšž")
_CYRILLIC = (("оеаинтсрвлкмдпуья", "бгзйжхшюцщэфъыё"), ("оаинтевірслкудмп", "бгґєжзйїфхцчшщьюя"))
_GREEK = (("αοιετσνηυρπκμλςίάόέήγ", "βδζθξφχψωύώϊϋ"),)
_HEBREW = (("יוהלאמרבתשנםד", "גזחטכךןסעפףצץק"),)
_ARABIC = (("ايلمنرتوبهةدسع", "أإآىئءؤحجقفكخذزشصضطظغپچژگی"),)
_THAI = (("านรกอเงมยลวดทสต่้ัิีะ์", "ขคชซณบปผพฟหฬฮไใโแๆำุูึื็๊๋ฯญฐฎฏฑฒธถภศษฆฌ"),)

_DOUBLE = re.compile(rb"[\x81-\xfe][\x30-\xfe]")


class _Script(NamedTuple):
    """A language's letters: those that make up most of a text, and the others."""

    common: str
    rare: str = ""


class _Encoding(NamedTuple):
    name: str
    score: Callable[[bytes, str], float]
    prior: float = 0.0  # decides between two that say the same


def guessed(data: bytes) -> tuple[str, str] | None:
    """The encoding's name and the text; None where none of the usual ones can be meant."""
    found: tuple[float, str, str] | None = None
    beyond = sample(data)
    for encoding in _ENCODINGS:
        text = _in(encoding.name, data)
        if text is None:
            continue
        score = encoding.score(beyond, beyond.decode(encoding.name, "replace")) + encoding.prior
        if found is None or score > found[0]:
            found = score, encoding.name, text
    return found[1:] if found and found[0] >= LEAST_SCORE else None


def _in(encoding: str, data: bytes) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def sample(data: bytes) -> bytes:
    """The lines that have more than ASCII, wherever they stand: as many as are needed."""
    lines: list[bytes] = []
    room = SAMPLE_CHARACTERS
    for line in data.splitlines(keepends=True):
        beyond = 0 if line.isascii() else sum(byte > 0x7F for byte in line)
        if beyond:
            lines.append(line)
            room -= beyond
        if room <= 0:
            break
    return b"".join(lines)


def _letters(*scripts: _Script) -> Callable[[bytes, str], float]:
    """How much of the text is written with one of these alphabets."""

    def score(_: bytes, text: str) -> float:
        pairs = list(_beyond_ascii(text))
        return max(_share(pairs, script) for script in scripts)

    return score


def _beyond_ascii(text: str) -> Iterator[tuple[str, str]]:
    """Each character beyond ASCII with the one before it."""
    before = ""
    for character in text:
        if character > "\x7f":
            yield before, character
        before = character


def _share(pairs: list[tuple[str, str]], script: _Script) -> float:
    is_latin = script.common[0] < "\u0250"
    return sum(_worth(*pair, script, is_latin) for pair in pairs) / max(1, len(pairs))


def _worth(before: str, character: str, script: _Script, is_latin: bool) -> float:
    lower = "ı" if character == "İ" else character.lower()  # that one's has two characters
    is_letter = lower in script.common or lower in script.rare
    if not is_letter:
        return NEUTRAL if character in _SIGNS and not before.isalpha() else RARE - 1
    if character != lower and before.islower():
        return MIXED
    if not is_latin and before.isascii() and before.isalpha():
        return MIXED
    return 1.0 if lower in script.common else RARE


def _western(_: bytes, text: str) -> float:
    pairs = list(_beyond_ascii(text))
    best = max(_share(pairs, _Script(letters)) for letters in _WESTERN)
    return max(best, MIXED_LANGUAGES * _share(pairs, _Script(_NAMES)))


def _double(first: Callable[[int, int], float]) -> Callable[[bytes, str], float]:
    """How many of the double bytes are among those that their table has put first."""

    def score(data: bytes, _: str) -> float:
        pairs = [first(pair[0], pair[1]) for pair in _DOUBLE.findall(data)]
        return sum(pairs) / max(1, len(pairs))

    return score


def _chinese(lead: int, trail: int) -> float:
    """GB 2312: signs, then its first level, which is sorted by sound."""
    if trail < 0xA1:
        return 0.0
    return 1.0 if 0xB0 <= lead <= 0xD7 or lead in (0xA1, 0xA3) else 0.3 if lead >= 0xD8 else 0.0


def _traditional(lead: int, _: int) -> float:
    return 1.0 if 0xA1 <= lead <= 0xC6 and lead != 0xA2 else 0.2


def _korean(lead: int, trail: int) -> float:
    return 1.0 if (0xB0 <= lead <= 0xC8 or lead == 0xA1) and trail >= 0xA1 else 0.0


def _japanese(lead: int, trail: int) -> float:
    """EUC-JP: the kana are what no other language has so many of."""
    if trail < 0xA1:
        return 0.0
    return 1.0 if lead in (0xA1, 0xA3, 0xA4, 0xA5) else 0.9 if 0xB0 <= lead <= 0xCF else 0.2


def _shifted(_: bytes, text: str) -> float:
    """Shift JIS: full-width kana, the first level; others are misread as half-width kana."""
    beyond = [c for c in text if c > "\x7f"]
    return sum(_shifted_worth(c) for c in beyond) / max(1, len(beyond))


def _shifted_worth(character: str) -> float:
    if "\u3000" <= character <= "\u30ff" or "\uff01" <= character <= "\uff5e":
        return 1.0
    if "\uff61" <= character <= "\uff9f":
        return 0.1
    lead = character.encode("cp932", "replace")[0]
    return 1.0 if 0x88 <= lead <= 0x97 else 0.2


def _scripts(of: tuple[tuple[str, str], ...]) -> list[_Script]:
    return [_Script(*letters) for letters in of]


_ENCODINGS = (
    _Encoding("cp1252", _western, 0.04),
    _Encoding("cp1250", _letters(*map(_Script, _CENTRAL)), 0.02),
    _Encoding("cp1254", _letters(*map(_Script, _TURKISH)), 0.01),
    _Encoding("cp1257", _letters(*map(_Script, _BALTIC))),
    _Encoding("mac_roman", _western, -0.02),
    _Encoding("cp850", _western, -0.03),
    _Encoding("cp1251", _letters(*_scripts(_CYRILLIC)), 0.02),
    _Encoding("koi8_r", _letters(*_scripts(_CYRILLIC))),
    _Encoding("cp866", _letters(*_scripts(_CYRILLIC)), -0.02),
    _Encoding("cp1253", _letters(*_scripts(_GREEK))),
    _Encoding("cp1255", _letters(*_scripts(_HEBREW))),
    _Encoding("cp1256", _letters(*_scripts(_ARABIC))),
    _Encoding("cp874", _letters(*_scripts(_THAI))),
    _Encoding("cp949", _double(_korean), 0.02),
    _Encoding("euc_jp", _double(_japanese)),
    _Encoding("big5", _double(_traditional)),
    _Encoding("cp932", _shifted),
    _Encoding("gb18030", _double(_chinese), 0.01),
)

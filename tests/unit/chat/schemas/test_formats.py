"""What the formats of a schema take, and that the engine is held to the same."""

import json
import re

import pytest

from lib.chat.schema_check import OK, check
from lib.chat.schemas import formats
from lib.chat.schemas.raw_text import written

GOOD = {
    "date": ["2024-02-29", "1999-12-31", "2000-02-29"],
    "time": ["10:00:00Z", "23:59:60.5+01:00"],
    "date-time": ["2024-02-29T10:00:00Z"],
    "duration": ["P1Y2M3DT4H5M6S", "PT1S", "P2W"],
    "email": ["ann@example.org", "a.b+c@d"],
    "hostname": ["example.org", "a"],
    "ipv4": ["0.0.0.0", "255.255.255.255"],
    "ipv6": ["::1", "2001:db8::8:800:200c:417a"],
    "uuid": ["123e4567-e89b-12d3-a456-426614174000"],
    "uri": ["https://example.org/a?b=c#d", "urn:isbn:1", "mailto:a@b"],
    "uri-reference": ["/a/b", "", "?x"],
    "json-pointer": ["", "/a~1b/0"],
    "regex": ["^a+$"],
}
BAD = {
    "date": ["2023-02-29", "1900-02-29", "2024-04-31", "24-01-01", "2024-02-29 "],
    "time": ["10:00:00", "24:00:00Z"],
    "date-time": ["2024-02-29", "2024-02-29 10:00:00Z"],
    "duration": ["P", "PT", "1 day", "P1H"],
    "email": ["ann", "@b", "a b@c", "a@b@c"],
    "hostname": ["-a", "a..b", "a" * 64],
    "ipv4": ["256.0.0.1", "1.2.3", "01.2.3.4"],
    "ipv6": ["1", "::g", "fe80::1%eth0"],
    "uuid": ["123e4567"],
    "uri": ["/a", "a b", "https://a/%zz"],
    "uri-reference": ["a b", "%z"],
    "json-pointer": ["a", "/~2"],
    "regex": ["(", "(?=a)"],
}


@pytest.mark.parametrize("name", sorted(formats.KNOWN))
def test_a_format_takes_what_it_is_and_nothing_else(name: str) -> None:
    schema = {"type": "string", "format": name}
    for text in GOOD[name]:
        assert check(json.dumps(text), schema) == OK, text
    for text in BAD[name]:
        assert f"is no {name}" in check(json.dumps(text), schema), text


@pytest.mark.parametrize("name", formats.PATTERNS)
def test_the_engine_is_held_to_the_same(name: str) -> None:
    made = written(formats.PATTERNS[name])
    assert made is not None
    for text in GOOD[name]:
        assert re.fullmatch(made[1:-1], json.dumps(text)[1:-1]), text
    for text in BAD[name]:
        assert not re.fullmatch(made[1:-1], json.dumps(text)[1:-1]), text


def test_a_format_that_nobody_knows_takes_every_text() -> None:
    assert check('"x"', {"type": "string", "format": "odd"}) == OK

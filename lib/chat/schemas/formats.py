"""What the formats of a schema mean here: one pattern each, which the engine is held to as well.

Sources: RFC 3339 (dates and times), RFC 5321 (mail, without quoted names), RFC 1123 (hosts), RFC
3986 (addresses), RFC 4122, RFC 6901, ISO 8601 (durations).
"""

import ipaddress
from collections.abc import Callable

from lib.chat import linear_pattern
from lib.core.errors import BadInput

_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]{1,9})?"
_ZONE = r"(Z|z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
_LEAP = r"([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29"
_DATE = (
    r"([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)"
    rf"|02-(0[1-9]|1[0-9]|2[0-8]))|{_LEAP})"
)
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = rf"{_LABEL}(\.{_LABEL}){{0,9}}"
_OCTET = r"(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_CHAR = r"([A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})"
_DAYS = r"([0-9]+Y([0-9]+M([0-9]+D)?)?|[0-9]+M([0-9]+D)?|[0-9]+D)"
_HOURS = r"T([0-9]+H([0-9]+M([0-9]+S)?)?|[0-9]+M([0-9]+S)?|[0-9]+S)"
PATTERNS = {
    "date": f"^{_DATE}$",
    "time": f"^{_TIME}{_ZONE}$",
    "date-time": f"^{_DATE}[Tt]{_TIME}{_ZONE}$",
    "duration": f"^P({_DAYS}({_HOURS})?|{_HOURS}|[0-9]+W)$",
    "email": rf"^{_ATOM}(\.{_ATOM})*@{_HOST}$",
    "hostname": f"^{_HOST}$",
    "ipv4": rf"^({_OCTET}\.){{3}}{_OCTET}$",
    "uuid": r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",
    "uri": rf"^[A-Za-z][A-Za-z0-9+.-]*:{_CHAR}*(#{_CHAR}*)?$",
    "uri-reference": rf"^{_CHAR}*(#{_CHAR}*)?$",
    "json-pointer": r"^(/([^~/]|~[01])*)*$",
}


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return "%" not in text


def _is_regex(text: str) -> bool:
    try:
        linear_pattern.check(text)
    except BadInput:
        return False
    return True


_OTHERS: dict[str, Callable[[str], bool]] = {"ipv6": _is_ipv6, "regex": _is_regex}
KNOWN = frozenset({*PATTERNS, *_OTHERS})


def is_like(text: str, name: str) -> bool:
    """Is the text of this format? Every text is of a format that nobody here knows."""
    if name in PATTERNS:
        return linear_pattern.is_in(PATTERNS[name], text)
    return _OTHERS[name](text) if name in _OTHERS else True

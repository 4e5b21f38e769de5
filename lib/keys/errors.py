"""Why a program with an API key, or without one, is not let in."""

import math

from lib.core.access import NotSignedIn
from lib.core.errors import BadInput, BerthError, Conflict, Forbidden

MAKE_ONE = "The owner of this Berth makes one on the Connect page."
SEND_IT = "Send it as “Authorization: Bearer …” or as “x-api-key: …”."


class NoGoodKey(NotSignedIn):
    """With the key that was sent, or without one, nobody gets in; `headers` go with the answer."""

    headers = ((b"www-authenticate", b"Bearer"),)


class ApiKeyNeeded(NoGoodKey, code="api_key_needed"):
    """None was sent where one is needed."""


class UnknownApiKey(NoGoodKey, code="invalid_api_key"):
    """Nobody has made this one, or it is deleted."""


class ApiKeyDisabled(NoGoodKey, code="api_key_disabled"):
    """The owner has disabled it."""


class ApiKeyExpired(NoGoodKey, code="api_key_expired"):
    """Its time is over."""


class KeyInAddress(BadInput, code="key_in_address", status=400):
    """A key stands in a URL, which logs keep."""


class NotForThisKey(Forbidden, code="model_not_for_key"):
    """The model is not among those that the key may use."""


class KeyInUse(Conflict, code="key_in_use"):
    """A key that works is not deleted."""


class KeysUnreadable(BerthError, code="keys_unreadable", status=503):
    """Nobody can say which keys hold."""


class AskLater(BerthError, code="rate_limit_exceeded", status=429):
    """More than this key may, until so many seconds have passed; `headers` tell a program so."""

    def __init__(self, message: str, fix: str, seconds: float) -> None:
        super().__init__(message, fix)
        self.headers = [(b"retry-after", str(max(1, math.ceil(seconds))).encode())]


class TooManyWrongKeys(AskLater, code="too_many_wrong_keys"):
    """Somebody guesses, or has a key that no longer holds."""


class TooManyRequests(AskLater):
    """More requests in a minute than the key may make."""


class NoTokensLeft(AskLater, code="tokens_of_the_day_used"):
    """The key has read and written as much as it may in a day."""

    def __init__(self, message: str, fix: str, seconds: float) -> None:
        super().__init__(message, fix, seconds)
        # The official clients would try again in seconds, where midnight is too far for them.
        self.headers.append((b"x-should-retry", b"false"))

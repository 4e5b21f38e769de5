"""Where a program finds Berth, and which of its models it is to ask."""

from pydantic import SecretStr

from lib.core.values import Frozen

NO_KEY = "berth"  # clients insist on one; this machine's own programs need none


class Way(Frozen):
    """An address, a model and a key."""

    root: str  # http://127.0.0.1:8501
    model: str
    context: int | None = None  # tokens; None where nobody knows
    key: SecretStr = SecretStr("")
    calls_tools: bool | None = None
    can_see: bool = False

    @property
    def base_url(self) -> str:
        """In OpenAI's dialect."""
        return f"{self.root}/v1"

    @property
    def secret(self) -> str:
        """The key as it is written down."""
        return self.key.get_secret_value() or NO_KEY

    @property
    def longest_answer(self) -> int | None:
        """Tokens of an answer that leave room for what was asked."""
        return min(8_192, self.context // 4) if self.context else None

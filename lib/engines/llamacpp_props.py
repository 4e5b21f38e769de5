"""What llama.cpp's server tells about itself once it is ready, to those who have its key."""

from pydantic import BaseModel, SecretStr

from lib.engines.openai_api import authorization
from lib.http import get_json


class _Generation(BaseModel):
    n_ctx: int


class Props(BaseModel):
    """Of all that it tells, what Berth uses."""

    model_alias: str
    default_generation_settings: _Generation

    @property
    def context(self) -> int:
        """Tokens per slot, as they were loaded."""
        return self.default_generation_settings.n_ctx


def ask(url: str, key: SecretStr | None) -> Props:
    """EngineError while it loads; ValidationError where it is older than November 2025."""
    return Props.model_validate(get_json(f"{url}/props", authorization(key)))

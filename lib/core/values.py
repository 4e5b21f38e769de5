"""The shape of most of what is passed around."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A value: checked when made, never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

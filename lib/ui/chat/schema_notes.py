"""What a schema that was typed comes to, below its field: what only the check holds to."""

import json

import streamlit as st

from lib.chat import schemas
from lib.engines import llamacpp
from lib.engines.base import Model
from lib.ui import markdown
from lib.ui.chat import settings_fields as fields
from lib.ui.session import Conversation

HELD_BY_CHECK = "The engine does not know these, so a reply may break them; each one is checked."


def draw(talk: Conversation, model: Model) -> None:
    """Nothing where the engine is held to all of the schema, or none is in force."""
    text = fields.settings_of(talk).json_schema
    if not text or "json_schema" in fields.drafts(talk):
        return
    if told := schemas.notes(json.loads(text), model.engine == llamacpp.NAME):
        said = "  \n".join(map(_line, told))
        st.caption(said, help=HELD_BY_CHECK)


def _line(sentence: str) -> str:
    """Plain, but for the keyword, which stands between the first two marks."""
    before, mark, rest = sentence.partition("`")
    keyword, _, after = rest.partition("`")
    if not mark:
        return markdown.plain(sentence)
    return f"{markdown.plain(before)}`{keyword}`{markdown.plain(after)}"

"""Models on a page: as rows or as a table, with what can be done with each, and with several."""

from lib.ui.models.asking import ask as ask
from lib.ui.models.asking import removal as removal
from lib.ui.models.endpoints_view import base_url as base_url
from lib.ui.models.listing import browse as browse
from lib.ui.models.rows import row as row
from lib.ui.models.states import BUSY as BUSY
from lib.ui.models.states import COLOURS as COLOURS
from lib.ui.models.states import badge as badge

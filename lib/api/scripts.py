"""`/api/ui/VERSION/…js`: the scripts of our own elements, to be fetched once and kept.

Streamlit would send an element's script again whenever the element's data change. The version is
part of the path, so that what a script imports has it too, and a browser may keep all for good.
"""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from lib.api.operation import operation
from lib.api.own_page import ELEMENTS
from lib.api.static import FOREVER


@operation(str, media_type="text/javascript")
async def script(request: Request) -> Response:
    """A script of Berth's own pages; only those that are there can be named."""
    known = {path.relative_to(ELEMENTS).as_posix(): path for path in ELEMENTS.rglob("*.js")}
    path = known.get(request.path_params["name"])
    if path is None:
        raise HTTPException(404)
    return FileResponse(path, media_type="text/javascript", headers={"cache-control": FOREVER})


def routes() -> list[Route]:
    """The HTTP routes of this module, relative to /api."""
    return [Route("/ui/{version}/{name:path}", script)]

"""A browser's session without a browser: Streamlit's own protocol over its WebSocket."""

import contextlib
from collections.abc import Iterator

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from tests.support.server import Server

SECONDS = 30.0


class Session:
    """One open tab."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.id = ""
        self.texts: list[str] = []

    def run(self, page: str = "") -> None:
        """Have the page's script run to its end; `id` and `texts` are what came."""
        message = BackMsg()
        message.rerun_script.page_name = page
        self.socket.send(message.SerializeToString())
        self.texts = []
        while True:
            news = self._next()
            if news.WhichOneof("type") == "new_session":
                self.id = news.new_session.initialize.session_id
            elif news.WhichOneof("type") == "delta":
                self.texts.append(str(news.delta.new_element))
            elif news.WhichOneof("type") == "script_finished":
                return

    def _next(self) -> ForwardMsg:
        data = self.socket.recv(timeout=SECONDS)
        assert isinstance(data, bytes)
        message = ForwardMsg()
        message.ParseFromString(data)
        return message


@contextlib.contextmanager
def opened(server: Server, cookie: str = "", resume: str = "", **headers: str) -> Iterator[Session]:
    """A tab of the browser with this cookie, which may ask for an earlier session's id."""
    tokens = ["streamlit", "no-token", *([resume] if resume else [])]
    with connect(
        f"ws://{server.host}/_stcore/stream",
        origin=Origin(server.url),
        subprotocols=[Subprotocol(token) for token in tokens],
        additional_headers={**headers, **({"Cookie": cookie} if cookie else {})},
        max_size=None,
    ) as socket:
        yield Session(socket)

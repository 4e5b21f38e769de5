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
        self.buttons: dict[str, str] = {}  # ids by label
        self._page = ""

    def run(self, page: str = "", query: str = "") -> None:
        """Have the page's script run to its end; `id` and `texts` are what came.

        `query` is what stands behind `?` in its address.
        """
        self._page = page
        message = BackMsg()
        message.rerun_script.page_name = page
        message.rerun_script.query_string = query
        self._rerun(message)

    def press(self, label: str, widget: str = "") -> None:
        """Press a button that the page has drawn, or send its id whether it has or not."""
        message = BackMsg()
        message.rerun_script.page_name = self._page
        state = message.rerun_script.widget_states.widgets.add()
        state.id, state.trigger_value = widget or self.buttons[label], True
        self._rerun(message)

    def switch(self, widget: str, value: bool) -> None:
        """Have a switch or a box of this id say so, whether the page has drawn it or not."""
        message = BackMsg()
        message.rerun_script.page_name = self._page
        state = message.rerun_script.widget_states.widgets.add()
        state.id, state.bool_value = widget, value
        self._rerun(message)

    def _rerun(self, message: BackMsg) -> None:
        self.socket.send(message.SerializeToString())
        self.texts = []
        self.buttons = {}
        while True:
            news = self._next()
            if news.WhichOneof("type") == "new_session":
                self.id = news.new_session.initialize.session_id
            elif news.WhichOneof("type") == "delta":
                element = news.delta.new_element
                self.texts.append(str(element))
                if element.WhichOneof("type") == "button":
                    self.buttons[element.button.label] = element.button.id
            elif news.WhichOneof("type") == "script_finished":
                return

    def _next(self) -> ForwardMsg:
        data = self.socket.recv(timeout=SECONDS)
        assert isinstance(data, bytes)
        message = ForwardMsg()
        message.ParseFromString(data)
        return message


@contextlib.contextmanager
def opened(
    server: Server, cookie: str = "", resume: str = "", url: str = "", **headers: str
) -> Iterator[Session]:
    """A tab of the browser with this cookie, which may ask for an earlier session's id.

    It is the owner's unless `url` is where guests come in.
    """
    url = url or server.url
    tokens = ["streamlit", "no-token", *([resume] if resume else [])]
    with connect(
        f"{url.replace('http', 'ws', 1)}/_stcore/stream",
        origin=Origin(url),
        subprotocols=[Subprotocol(token) for token in tokens],
        additional_headers={**headers, **({"Cookie": cookie} if cookie else {})},
        max_size=None,
    ) as socket:
        yield Session(socket)

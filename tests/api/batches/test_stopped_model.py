"""A batch for a model that does not run: it is started for it, and answers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.batches import begun, client_of, ended, file_of, line, rows
from tests.support.berth import running_berth
from tests.support.server import Server
from tests.support.tiny_gguf import write_tiny


@pytest.fixture
def server(home: Path) -> Iterator[Server]:
    write_tiny(home / "models" / "tiny.gguf")
    with running_berth(home) as running:
        yield running


def test_it_is_started_and_every_line_is_answered(server: Server) -> None:
    asked = [line(name, "/v1/completions", model="tiny", max_tokens=2) for name in "abc"]
    for one in asked:
        del one["body"]["messages"]
        one["body"]["prompt"] = "Once"
    with client_of(server) as client:
        over = ended(client, begun(client, file_of(*asked), "/v1/completions"))
        assert over.status == "completed"
        assert len(rows(client, over.output_file_id)) == 3

"""What is known of a model that has ended by itself: how often it was started again, and its logs.

Files beside the engine's record, so that it outlives the dashboard: NAME.tries, and NAME.end1 to
NAME.end3, what each of the last runs printed.
"""

import contextlib
import time
from pathlib import Path

from lib.core.files import write_text
from lib.core.values import Frozen
from lib.engines.base import Model
from lib.engines.llamacpp import records
from lib.engines.llamacpp.records import Record, file_of

PAUSES = (5.0, 30.0, 120.0)  # seconds before each try
WELL_SECONDS = 600.0  # after so long a run what was before is forgotten
LOGS = ("end1", "end2", "end3")  # of the last ends, the latest first


class Tries(Frozen):
    """Since the model ran well."""

    count: int = 0  # starts by Berth itself
    last: float = 0.0  # epoch seconds: of the last end, or the last try
    seen: float = 0.0  # when the run began whose end was counted last
    gave_up: str = ""  # why it is left alone now, in a sentence

    @property
    def wait_seconds(self) -> float:
        """Until the next try; 0 where it is due. A clock that was set back waits for nobody."""
        passed, pause = time.time() - self.last, PAUSES[min(self.count, len(PAUSES) - 1)]
        return max(0.0, pause - passed) if passed >= 0 else 0.0


def of(model: str) -> Tries | None:
    """None for one that has not ended by itself lately."""
    with contextlib.suppress(OSError, ValueError):
        return Tries.model_validate_json(file_of(model, "tries").read_bytes())
    return None


def keep(model: str, tries: Tries) -> None:
    """Write it down; a full disk is no obstacle, and then it is forgotten."""
    with contextlib.suppress(OSError):
        write_text(file_of(model, "tries"), tries.model_dump_json())


def forget(model: str) -> None:
    """It runs well, or a person has taken it over."""
    with contextlib.suppress(OSError):
        file_of(model, "tries").unlink(missing_ok=True)


def keep_log(record: Record) -> None:
    """Keep what the run that ended has printed, and let the oldest go."""
    for older, newer in zip(LOGS[:0:-1], LOGS[-2::-1], strict=True):
        with contextlib.suppress(OSError):
            file_of(record.model, newer).replace(file_of(record.model, older))
    with contextlib.suppress(OSError):
        file_of(record.model, LOGS[0]).write_bytes(file_of(record.model, "log").read_bytes())


def logs(model: Model) -> list[Path]:
    """Of its last ends, the latest first."""
    if Path(model.name).name != model.name:
        return []
    return [path for ending in LOGS if (path := records.file_of(model.name, ending)).is_file()]

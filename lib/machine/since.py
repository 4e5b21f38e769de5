"""Since when a program runs that somebody else has started."""

import psutil


def of_program(*names: str) -> float | None:
    """When the oldest process of one of these names began, in epoch seconds; None for none.

    All processes are looked through, which takes some milliseconds: not for a page to do.
    """
    found = psutil.process_iter(["name", "create_time"])
    begun = [process.info["create_time"] for process in found if process.info["name"] in names]
    return min(filter(None, begun), default=None)

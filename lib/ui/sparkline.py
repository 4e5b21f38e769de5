"""A few figures as a small silhouette without axes, in the colour of the text around it.

One element of HTML, cut to shape: Streamlit lets no drawing through, and a chart would load
80 MiB of modules.
"""

from collections.abc import Sequence
from html import escape

HEIGHT_PIXELS = 22


def drawn(values: Sequence[float], told: str) -> str:
    """`told` says in words what it shows, for whoever does not see it or points at it."""
    line = ",".join(f"{x:.1f}% {y:.1f}%" for x, y in _points(values))
    return (
        f'<div role="img" aria-label="{escape(told)}" title="{escape(told)}" '
        f'style="height:{HEIGHT_PIXELS}px;margin-left:1rem;border-bottom:1px solid;opacity:0.45">'
        f'<div style="height:100%;background:currentColor;'
        f'clip-path:polygon(0% 100%,{line},100% 100%)"></div></div>'
    )


def _points(values: Sequence[float]) -> list[tuple[float, float]]:
    """From left to right and from the top, in percent; nought lies at the bottom."""
    top, last = max(values, default=0.0) or 1.0, max(len(values) - 1, 1)
    return [(number * 100 / last, 100 - 100 * value / top) for number, value in enumerate(values)]

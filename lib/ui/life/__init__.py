"""When a model comes into memory and when it leaves it, and how it is loaded: what pages use."""

from lib.ui.life.panel import USUAL_MINUTES, described, fact, make_room, memory, panel

__all__ = ["USUAL_MINUTES", "described", "fact", "make_room", "memory", "panel"]

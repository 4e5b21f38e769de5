"""On the settings page: what starts Berth without a terminal, and how it is quit."""

from lib.ui.start.section import link, section

__all__ = ["link", "section"]

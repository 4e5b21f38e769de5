"""API keys on the Connect page."""

from lib.ui.keys.section import section as section

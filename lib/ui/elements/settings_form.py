"""What the settings dialog does in the browser: keeps what is typed, and steps from the default."""

from typing import Any

from lib.ui.elements.element import element


def settings_form(lead: dict[str, Any] | None) -> None:
    """Draws nothing. `lead` names the field to bring into view: its key, and how often."""
    lead = lead or {"field": "", "times": 0}
    element("settings_form")(
        key="settings_form", data={"field": lead["field"], "times": lead["times"]}
    )

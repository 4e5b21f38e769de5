"""Why a settings file is left as it is."""

from lib.core.errors import BadInput, Conflict


class Unreadable(BadInput, code="settings_unreadable"):
    """A settings file that is not of its format."""


class CannotEdit(Conflict, code="settings_not_edited"):
    """A settings file in a form that cannot be changed without touching something else."""

    def __init__(self) -> None:
        super().__init__(
            "These settings are written in a form that Berth cannot add to without touching "
            "something else.",
            "Change them by hand: the text to add stands under “Copies for other machines”.",
        )

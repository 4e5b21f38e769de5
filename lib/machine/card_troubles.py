"""What is wrong with a card or with the whole driver, in words, and what to do next."""

import platform
from typing import NamedTuple

from lib.machine.nvml import Code


class Trouble(NamedTuple):
    """What happened, and what to do about it; both empty where all is well."""

    problem: str = ""
    fix: str = ""


NONE = Trouble()
_RESTART = "Restart the machine."
_ON_WINDOWS = (
    "In WSL the driver is that of Windows: update it there, install none inside WSL, then run "
    "wsl --shutdown in Windows and open WSL again."
)
_DRIVER: dict[int, Trouble] = {
    Code.DRIVER_NOT_LOADED: Trouble(
        "The NVIDIA driver is installed, but its kernel module is not loaded.",
        "Load it: sudo modprobe nvidia. Where that fails, restart the machine; after a kernel "
        "update, or with Secure Boot, the driver may have to be installed again.",
    ),
    Code.LIB_RM_VERSION_MISMATCH: Trouble(
        "The NVIDIA driver was updated while the machine ran: its library and the kernel module "
        "that is loaded have different versions.",
        "Restart the machine: it then runs the new driver as a whole.",
    ),
    Code.FUNCTION_NOT_FOUND: Trouble(
        "The NVIDIA driver is too old to be asked about its cards.",
        "Install a newer NVIDIA driver.",
    ),
    Code.NO_PERMISSION: Trouble(
        "This account may not talk to the NVIDIA driver.",
        "See who may: ls -l /dev/nvidia*. Add the account to that group, then sign in again; a "
        "container or a service needs these devices allowed.",
    ),
    Code.OPERATING_SYSTEM: Trouble(
        "The system keeps Berth from talking to the NVIDIA driver.",
        "Allow /dev/nvidia* to the container or service that Berth runs in.",
    ),
    Code.GPU_IS_LOST: Trouble(
        "A graphics card has fallen off the bus, and the NVIDIA driver answers no more.", _RESTART
    ),
    Code.IRQ_ISSUE: Trouble(
        "The NVIDIA driver gets no interrupts from a graphics card.",
        "Restart the machine. If it happens again: sudo dmesg | grep -i nvrm says which card.",
    ),
}
_CARD: dict[int, Trouble] = {
    Code.GPU_IS_LOST: Trouble(
        "This card has fallen off the bus: it answers no more.",
        "Restart the machine. If it happens again, look at its power cables, its heat and its "
        "slot: sudo dmesg | grep -i xid.",
    ),
    Code.RESET_REQUIRED: Trouble(
        "This card has to be reset before it works again.",
        "Stop what uses it, then run sudo nvidia-smi --gpu-reset, or restart the machine.",
    ),
    Code.IRQ_ISSUE: Trouble("The driver gets no interrupts from this card.", _RESTART),
    Code.NO_PERMISSION: Trouble(
        "This account may not use this card.",
        "See who may: ls -l /dev/nvidia*. A container or a service needs the device allowed.",
    ),
}
GONE = Trouble(
    "This card was here and is gone: the driver no longer lists it.", _CARD[Code.GPU_IS_LOST].fix
)
UNREAD = Trouble("The graphics cards could not be read.", "What Berth prints says why.")


def is_wsl(release: str | None = None) -> bool:
    """Is this Linux inside Windows? Its kernel's name says so."""
    return "microsoft" in (release or platform.release()).lower()


def of_driver(code: int, *, in_wsl: bool = False) -> Trouble:
    """Why no card can be asked about."""
    found = _DRIVER.get(code) or Trouble(
        f"The NVIDIA driver answers with an error (NVML code {code}).",
        "Run nvidia-smi: it says more. A restart of the machine helps most often; in a container, "
        "that of the container.",
    )
    return found._replace(fix=_ON_WINDOWS) if in_wsl else found


def of_card(code: int) -> Trouble:
    """Why one card does not answer, while others may."""
    return _CARD.get(code) or Trouble(
        f"This card does not answer (NVML code {code}).",
        "Run nvidia-smi: it says more. A restart of the machine helps most often.",
    )


def library_missing(names: str) -> Trouble:
    """The kernel's part of the driver is here, the other one not."""
    return Trouble(
        f"The NVIDIA driver runs for {names}, but its library libnvidia-ml.so.1 is missing.",
        "Install it in the driver's version (Debian, Ubuntu: libnvidia-compute-…); a container "
        "gets it from the NVIDIA container toolkit: docker run --gpus all.",
    )


def late(for_time: str) -> Trouble:
    """A question to the driver hangs."""
    return Trouble(
        f"The NVIDIA driver has not answered for {for_time}.",
        "Many cards take their time to wake. Where it stays so, restart the machine.",
    )

#!/usr/bin/env bash
#
# nvidia-ml-py 13.615.71, Python 3.11, Linux.
#
# Expected: every error of the binding can be caught as NVMLError, as its documentation says.
# Seen: where the driver's library is older than a function, the calls whose name carries no version
# (nvmlDeviceGetComputeRunningProcesses and its two siblings) raise NVMLLibraryMismatchError, which
# is no NVMLError; the same call by its versioned name raises NVMLError_FunctionNotFound.
# The driver's library is stood in for by one that has none of its functions, as an old one has not
# the newest.
#
# Berth: asks by versioned names, newest first (lib/machine/nvml.py).

set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check nvidia-ml-py==13.615.71
library=$("$folder/venv/bin/python" -c 'import ctypes.util, os; print(next(p for d in ("/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/lib64", "/usr/lib64") if os.path.exists(p := f"{d}/libm.so.6")))')
ln -s "$library" "$folder/libnvidia-ml.so.1"

LD_LIBRARY_PATH=$folder "$folder/venv/bin/python" - <<'PY'
import contextlib

import pynvml


def raised(call):
    try:
        call(None)
    except Exception as error:
        return type(error)


with contextlib.suppress(pynvml.NVMLError):
    pynvml.nvmlInit()  # loads the library, and misses the function that begins
plain = raised(pynvml.nvmlDeviceGetComputeRunningProcesses)
versioned = raised(pynvml.nvmlDeviceGetComputeRunningProcesses_v3)
for name, kind in (("plain name", plain), ("versioned name", versioned)):
    print(f"{name}: {kind.__name__}, an NVMLError: {issubclass(kind, pynvml.NVMLError)}")
assert plain.__name__ == "NVMLLibraryMismatchError" and not issubclass(plain, pynvml.NVMLError)
assert issubclass(versioned, pynvml.NVMLError)
print("as described")
PY

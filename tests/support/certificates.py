"""Certificates as somebody else makes them, by `openssl`."""

import shutil
import subprocess
from pathlib import Path

import pytest

CONFIG = """[req]
distinguished_name = name
x509_extensions = more
prompt = no
[name]
CN = Somebody
[more]
subjectAltName = {names}
"""


def make(
    folder: Path, names: str = "IP:127.0.0.2", *more: str, name: str = "own"
) -> tuple[Path, Path]:
    """A certificate for these names and its key; `more` are arguments of `openssl req`."""
    if not shutil.which("openssl"):
        pytest.skip("There is no openssl on this machine.")
    folder.mkdir(parents=True, exist_ok=True)
    file, key, config = (folder / f"{name}.{kind}" for kind in ("pem", "key", "cnf"))
    config.write_text(CONFIG.format(names=names))
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-noenc", "-config", str(config)]
    wanted = more or ("-days", "30")
    subprocess.run(
        [*made, "-out", str(file), "-keyout", str(key), *wanted], check=True, capture_output=True
    )
    return file, key


def make_expired(folder: Path) -> tuple[Path, Path]:
    """One whose time is over: made as the day before it began to end."""
    file, key = make(folder, name="request")
    request, old = folder / "request.csr", folder / "old.pem"
    config = ["-config", str(folder / "request.cnf")]
    _openssl("req", "-new", "-key", str(key), "-out", str(request), *config)
    (folder / "index.txt").touch()
    (folder / "serial").write_text("01\n")
    authority = folder / "ca.cnf"
    authority.write_text(
        f"[ca]\ndefault_ca = one\n[one]\ndir = {folder}\ndatabase = {folder}/index.txt\n"
        f"serial = {folder}/serial\nnew_certs_dir = {folder}\ndefault_md = sha256\n"
        "policy = any\n[any]\ncommonName = supplied\n"
    )
    dates = ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"]
    pair = ["-cert", str(file), "-keyfile", str(key)]
    _openssl(
        *("ca", "-batch", "-selfsign", "-config", str(authority), "-in", str(request)),
        *("-out", str(old), "-notext", *dates, *pair),
    )
    return old, key


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)

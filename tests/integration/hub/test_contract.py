"""The fake Hub held against the official client, and what is asked of it against what that asks."""

import subprocess
import sys
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from lib.hub import gguf_repositories, look_up, lookups, search
from tests.conftest import ROOT
from tests.support.hub_api import NARROW, STRANGER, HubApi

STARTER = "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF"
GATED = "acme/Gated-1B-GGUF"


def test_the_fake_hub_runs_as_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, "-m", "tests.support.hub_api"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            monkeypatch.setenv("HF_ENDPOINT", process.stdout.readline().strip())
            assert look_up(STARTER).id == STARTER
        finally:
            process.terminate()
    assert process.returncode == 0


def test_the_official_client_reads_the_same_from_the_fake_hub(hub: HubApi) -> None:
    theirs = HfApi(hub.url, token=False).model_info(STARTER, revision="main", files_metadata=True)
    ours = look_up(STARTER)
    assert theirs.sha == ours.sha
    assert theirs.siblings is not None
    sizes = {file.rfilename: file.lfs.size if file.lfs else file.size for file in theirs.siblings}
    assert sizes == {file.path: file.bytes for file in ours.files}
    assert theirs.last_modified == ours.last_modified
    asked_by_them, asked_by_us = (questions(request.path) for request in hub.requests)
    assert asked_by_us == asked_by_them


def test_the_official_client_searches_with_the_same_words(hub: HubApi) -> None:
    declared = "base_model:quantized:acme/Anvil-1B"
    expand: Any = list(lookups.EXPANDED)
    theirs = HfApi(hub.url, token=False).list_models(
        filter=["gguf", declared], sort="downloads", limit=20, expand=expand
    )
    assert [model.id for model in theirs] == [one.id for one in gguf_repositories("acme/Anvil-1B")]
    list(HfApi(hub.url, token=False).list_models(search="x y", filter="gguf", gated=False, limit=1))
    search("x y", is_open=True, limit=1)
    first, second, third, fourth = (questions(request.path) for request in hub.requests)
    assert first == second
    assert third[0] == fourth[0]
    assert third[1].items() <= fourth[1].items()


def questions(path: str) -> tuple[str, dict[str, list[str]]]:
    """A path and its parameters; the official client writes True where others write true."""
    parts = urlsplit(path.replace("True", "true"))
    return parts.path, parse_qs(parts.query)


@pytest.mark.parametrize(
    ("token", "repo", "revision", "kind"),
    [
        (False, "acme/missing", "main", RepositoryNotFoundError),
        (STRANGER, "acme/Private-1B-GGUF", "main", RepositoryNotFoundError),
        (False, STARTER, "v9", RevisionNotFoundError),
        (False, "acme/Withdrawn-GGUF", "main", DisabledRepoError),
    ],
)
def test_the_official_client_sees_the_same_refusals(
    hub: HubApi, token: str | bool, repo: str, revision: str, kind: type[HfHubHTTPError]
) -> None:
    with pytest.raises(kind):
        HfApi(hub.url, token=token).model_info(repo, revision=revision, files_metadata=True)


@pytest.mark.parametrize(
    ("token", "repo", "file", "kind"),
    [
        (False, GATED, "a.gguf", GatedRepoError),
        (STRANGER, GATED, "a.gguf", GatedRepoError),
        (NARROW, GATED, "a.gguf", HfHubHTTPError),
        (False, STARTER, "no-such-file", RemoteEntryNotFoundError),
    ],
)
def test_the_official_client_sees_the_same_refusals_of_files(
    hub: HubApi, token: str | bool, repo: str, file: str, kind: type[HfHubHTTPError]
) -> None:
    url = hf_hub_url(repo, file, endpoint=hub.url)
    with pytest.raises(kind):
        get_hf_file_metadata(url, token=token, endpoint=hub.url)

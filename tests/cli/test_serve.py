"""``facedots serve``: how a server is started; tests/service has what it does."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from facedots.cli.main import app
from facedots.errors import FacedotsError, WeightsError
from facedots.service import run
from facedots.service.settings import ServiceSettings


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What servers were started with instead of running."""
    calls: list[Any] = []
    monkeypatch.setattr(run, "serve", lambda *arguments: calls.append(arguments))
    monkeypatch.delenv("FACEDOTS_TOKEN", raising=False)
    return calls


def serve(*words: str) -> Exception | None:
    error = CliRunner().invoke(app, ["serve", *words]).exception
    assert error is None or isinstance(error, Exception)
    return error


def test_options_become_settings(started: list[Any], tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    words = ["--port", "9", "--workers", "3", "--model", "tiny", "--more-models", "small,baseline"]
    words += ["--token-file", str(tmp_path / "token")]
    words += ["--cors-origin", "https://a.org,https://b.org"]
    assert serve(*words, "--search", "fast", "--max-bytes", "77", "--queue", "2") is None
    ((settings, host, port, workers),) = started
    assert (host, port, workers) == ("127.0.0.1", 9, 3)
    assert list(settings.model_files) == ["tiny", "small", "baseline"]
    assert settings.networks.search == "fast"
    assert settings.token == "s3cret"
    assert "s3cret" not in repr(settings)
    assert settings.origins == ("https://a.org", "https://b.org")
    assert (settings.limits.max_bytes, settings.limits.queue) == (77, 2)


def test_the_token_may_come_from_the_environment(
    started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEDOTS_TOKEN", "other")
    assert serve() is None
    assert started[0][0].token == "other"


@pytest.mark.parametrize("token", ["", "two words", "ä", " padded"])
def test_a_token_that_no_client_can_send_is_refused(
    started: list[Any], monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("FACEDOTS_TOKEN", token)
    with pytest.raises(FacedotsError, match="FACEDOTS_TOKEN: a token is one word"):
        raise serve() or AssertionError
    assert not started


def test_a_token_file_that_is_missing_or_empty_is_refused(
    started: list[Any], tmp_path: Path
) -> None:
    for file in (tmp_path / "none", tmp_path / "empty"):
        (tmp_path / "empty").write_text("\n")
        error = serve("--token-file", str(file))
        assert isinstance(error, FacedotsError)
        assert file.name in str(error)
    assert not started


def test_networks_and_addresses_are_checked_before_it_starts(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="nothing: no such network"):
        run.serve(ServiceSettings(models=("nothing",)), "127.0.0.1", 0)
    with pytest.raises(WeightsError, match="both are called tiny"):
        run.serve(ServiceSettings(models=("tiny", "runs/tiny")), "127.0.0.1", 0)
    with pytest.raises(FacedotsError, match=r"192\.0\.2\.1:0: .*choose --host"):
        run.serve(ServiceSettings(), "192.0.2.1", 0)

"""Nothing is sent: predicting leaves no file in the home folder, and looks no name up."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from facedots.io.images import sample_portrait

LOOKUPS = """
import socket, sys
def refuse(*args, **_):
    print("LOOKED UP", args, file=sys.stderr)
    raise OSError("no network here")
socket.getaddrinfo = socket.create_connection = socket.socket.connect = refuse
"""


def run(home: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = ("PATH", "PYTHONPATH", "SYSTEMROOT", "LANG")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment |= {"HOME": str(home), "USERPROFILE": str(home), **variables}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=True
    )


def files(home: Path) -> list[str]:
    return [path.relative_to(home).as_posix() for path in home.rglob("*")]


def test_predict_writes_nothing_at_home_and_looks_no_name_up(tmp_path: Path) -> None:
    code = f"{LOOKUPS}\nfrom facedots.cli.main import main\nmain()"
    result = run(tmp_path, sys.executable, "-c", code, "predict", str(sample_portrait()))
    assert "1 face" in result.stdout
    assert "LOOKED UP" not in result.stderr
    assert files(tmp_path) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="strace is a tool of Linux")
def test_no_thread_of_onnx_runtime_connects(tmp_path: Path) -> None:
    """Its own network code, which starts after some seconds, does not go through Python: the
    kernel's calls are watched.
    """
    log = tmp_path / "calls"
    code = (
        "import time, facedots; from facedots.io.images import sample_portrait as p;"
        "facedots.Pipeline()(facedots.read_image(p())); time.sleep(25)"
    )
    trace = ["strace", "-f", "-e", "trace=connect,sendto,sendmsg", "-o", str(log)]
    home = tmp_path / "home"
    home.mkdir()
    try:
        run(home, *trace, sys.executable, "-c", code)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("strace is not installed, or may not watch")
    assert not [line for line in log.read_text().splitlines() if "AF_" in line]
    assert files(home) == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "1"), ("", "1"), ("true", "1"), ("1", "1"), ("0", "0"), ("off", "off")],
)
def test_reports_are_off_unless_the_user_asks(
    tmp_path: Path, value: str | None, expected: str
) -> None:
    code = "import os, facedots.errors; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    variables = {} if value is None else {"ORT_DISABLE_TELEMETRY": value}
    assert run(tmp_path, sys.executable, "-c", code, **variables).stdout.strip() == expected


@pytest.mark.parametrize(("value", "calls"), [("", 1), ("0", 0)])
def test_where_onnx_runtime_is_loaded_already_its_switch_is_turned(
    tmp_path: Path, value: str, calls: int
) -> None:
    code = """
import sys, types
calls = []
sys.modules["onnxruntime"] = types.SimpleNamespace(
    disable_telemetry_events=lambda: calls.append(1))
import facedots
print(len(calls))
"""
    result = run(tmp_path, sys.executable, "-c", code, ORT_DISABLE_TELEMETRY=value)
    assert result.stdout.strip() == str(calls)

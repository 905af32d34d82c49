"""Errors reach a user as one line and an exit status; a missing extra is named."""

import subprocess
import sys

import pytest

WITHOUT = """
import sys
sys.modules[{missing!r}] = None
sys.argv = ["facedots", *{words!r}]
from facedots.cli.main import main
main()
"""


def run(missing: str, *words: str) -> subprocess.CompletedProcess[str]:
    script = WITHOUT.format(missing=missing, words=words)
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("missing", "words", "extra"),
    [
        ("torch", ["export", "nowhere", "--out", "x.onnx"], "facedots[train]"),
        ("pydantic", ["data", "stats", "nowhere"], "facedots[train]"),
        ("matplotlib", ["demo"], "facedots[plots]"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(
    missing: str, words: list[str], extra: str
) -> None:
    done = run(missing, *words)
    assert done.returncode == 1
    assert extra in done.stderr
    assert "Traceback" not in done.stderr


def test_an_expected_error_is_one_line_and_status_1() -> None:
    done = run("torch", "predict", "nowhere.jpg")
    assert done.returncode == 1
    assert "nowhere.jpg" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_line_loads_nothing_heavy_before_a_command_runs() -> None:
    heavy = ("numpy", "cv2", "onnxruntime", "torch", "matplotlib", "pandas")
    code = (
        f"import sys, facedots.cli.main; print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

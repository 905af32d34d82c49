"""Errors reach a user as one line and an exit status; a missing extra is named."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import facedots
from facedots.io.images import write_image

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


def test_the_version_is_the_installed_one() -> None:
    assert run("torch", "--version").stdout == f"facedots {facedots.__version__}\n"


def test_a_missing_camera_is_one_line() -> None:
    done = run("torch", "video", "99", "--csv", "/dev/null")
    assert done.returncode == 1
    assert done.stderr == (
        "error: camera 99: cannot be opened; is it plugged in, and free of other programs?\n"
    )


def test_the_command_line_loads_nothing_heavy_before_a_command_runs() -> None:
    heavy = ("numpy", "cv2", "onnxruntime", "torch", "matplotlib", "pandas")
    code = (
        f"import sys, facedots.cli.main; print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


NET = """
import os, sys
import facedots.batch.images, facedots.pipeline
def broken(*given, **named):
    raise {error}
{place} = broken
sys.argv = ["facedots", *{words!r}]
from facedots.cli.main import main
main()
"""


def run_broken(place: str, error: str, *words: str) -> subprocess.CompletedProcess[str]:
    script = NET.format(place=place, error=error, words=words)
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("ValueError('odd [bold]')", "unexpected ValueError: odd [bold]; --debug shows details"),
        ("MemoryError", "not enough memory"),
        ("OSError(28, 'No space left on device', 'x.bin')", "x.bin: No space left on device"),
        ("OSError(28, 'No space left on device')", "predict: No space left on device; --debug"),
        ("FileNotFoundError(2, 'No such file or directory')", "the current folder is no longer"),
        ("ValueError('a:-1:.png')", "ValueError: a:-1:.png"),
        ("RuntimeError('one\\ntwo')", "unexpected RuntimeError: one; --debug"),
    ],
)
def test_the_unexpected_is_one_line_that_names_the_command(error: str, said: str) -> None:
    done = run_broken("facedots.batch.images.list_images", error, "predict", "a.png")
    assert done.returncode == 1
    assert done.stderr.startswith("error: predict: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_unexpected_in_one_image_names_the_image(tmp_path: Path) -> None:
    image = tmp_path / "a.png"
    write_image(image, np.zeros((20, 20, 3), np.uint8))
    words = ("predict", str(image))
    done = run_broken("facedots.pipeline.Pipeline.__call__", "KeyError('x')", *words)
    assert done.returncode == 1
    assert f"{image}: unexpected KeyError: 'x'; --debug shows details" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [("--debug", "predict", "a"), ("predict", "a", "--debug")])
def test_debug_shows_details_wherever_it_stands(words: tuple[str, ...]) -> None:
    done = run_broken("facedots.batch.images.list_images", "ValueError('odd')", *words)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "in broken" in done.stderr


OPENCV = """
import sys, types
from importlib.abc import MetaPathFinder
class Broken(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "cv2":
            raise {error}
cv2 = types.ModuleType("cv2")
{prepare}
sys.argv = ["facedots", "predict", {image!r}, "--detector", "haar"]
from facedots.cli.main import main
main()
"""


@pytest.mark.parametrize(
    ("prepare", "error", "said"),
    [
        (
            "sys.modules['cv2'] = cv2",
            "None",
            "pip uninstall -y opencv-python opencv-python-headless",
        ),
        (
            "import cv2; del cv2.CascadeClassifier",
            "None",
            "pip uninstall -y opencv-python opencv-python-headless",
        ),
        (
            "sys.meta_path.insert(0, Broken())",
            "ImportError('libGL.so.1: cannot open shared object file', name='cv2')",
            "OpenCV lacks libGL.so.1: apt-get install libgl1",
        ),
        ("sys.modules['cv2'] = None", "None", "pip install 'opencv-python>=4.14,<5'"),
    ],
)
def test_a_broken_opencv_is_one_line_with_commands(
    tmp_path: Path, prepare: str, error: str, said: str
) -> None:
    image = tmp_path / "a.png"
    write_image(image, np.zeros((20, 20, 3), np.uint8))
    script = OPENCV.format(prepare=prepare, error=error, image=str(image))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1

import importlib
import inspect
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest

from facedots import errors
from facedots.errors import (
    AnnotationError,
    FacedotsError,
    MissingExtra,
    describe_unexpected,
    explain_missing_extra,
)


def test_every_error_is_a_facedots_error_and_says_what_for() -> None:
    kinds = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if kind.__module__ == errors.__name__
    ]
    assert len(kinds) > 5
    assert all(issubclass(kind, FacedotsError) and kind.__doc__ for kind in kinds)


@pytest.mark.parametrize(("count", "head"), [(1, "x.csv: 1 fault"), (2, "x.csv: 2 faults")])
def test_annotation_faults_are_all_there(count: int, head: str) -> None:
    error = AnnotationError("x.csv", [f"row {i}" for i in range(count)])
    assert str(error).splitlines() == [head, *(f"  row {i}" for i in range(count))]


def test_a_flood_of_faults_is_cut_in_the_text_but_kept() -> None:
    error = AnnotationError("x.csv", [f"row {i}" for i in range(50)])
    assert len(error.faults) == 50
    assert str(error).splitlines()[-2:] == ["  row 19", "  … and 30 more"]


@pytest.mark.parametrize(
    ("blocked", "statement", "extra"),
    [
        ("torch", "from facedots.data import Rescale", "train"),
        ("torch", "from facedots import train", "train"),
        ("matplotlib", "from facedots.plots import ced_figure", "plots"),
        ("onnx", "from facedots.inspection import list_layers", "train"),
    ],
)
def test_a_missing_extra_is_named_from_python(blocked: str, statement: str, extra: str) -> None:
    code = f"""
import sys
sys.modules[{blocked!r}] = None
try:
    {statement}
except ImportError as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    message = f"MissingExtra {blocked} is not installed: pip install 'facedots[{extra}]'"
    assert done.stdout.strip() == message, done.stderr


def test_an_opencv_that_another_one_emptied_is_named_from_python(tmp_path: Path) -> None:
    (tmp_path / "cv2").mkdir()
    (tmp_path / "cv2" / "__init__.py").touch()
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom facedots import Pipeline"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("facedots.errors.OpenCVError: OpenCV is broken, of another version, or")
    assert last.endswith("pip install 'opencv-python>=4.14,<5'")


def test_a_missing_package_that_no_extra_installs_stays_as_it_is() -> None:
    with pytest.raises(ModuleNotFoundError, match="nowhere"), explain_missing_extra():
        importlib.import_module("nowhere")


def test_every_package_of_an_extra_has_its_install_line() -> None:
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    extras = tomllib.loads(text)["project"]["optional-dependencies"]
    installers: dict[str, set[str]] = {}
    for extra in ("heif", "parquet", "plots", "train", "video"):
        for requirement in extras[extra]:
            package = (
                requirement.split(">")[0].split("=")[0].replace("-", "_").replace("pillow", "PIL")
            )
            if not package.startswith("facedots["):
                installers.setdefault(package, set()).add(f"facedots[{extra}]")
    for package, lines in installers.items():
        assert any(line in str(MissingExtra(package)) for line in lines)


def test_missing_folders_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current one, and one for temporary files, as on a read-only root."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "none")])
    with pytest.raises(FileNotFoundError) as raised:
        tempfile.gettempdir()
    assert describe_unexpected(raised.value).startswith("No usable temporary directory found")
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(FileNotFoundError) as raised:
        Path.cwd()
    assert describe_unexpected(raised.value).startswith("the current folder is no longer there")

"""The public surface: what every package offers is frozen in public_names.txt."""

import ast
import importlib
import json
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import facedots
from facedots.io.images import sample_portrait

BLOCKED = (
    "torch",
    "pandas",
    "matplotlib",
    "pydantic",
    "pytorch_lightning",
    "onnx",
    "scipy",
    "yaml",
)
ROOT = Path(__file__).parents[1]
USERS = [
    *(ROOT / "benchmarks").glob("*.py"),
    *(ROOT / "notebooks").rglob("*.py"),
    *(ROOT / "docs").rglob("*.py"),
    *(ROOT / "docs").rglob("*.md"),
    ROOT / "README.md",
]
"""Files that use facedots as any user does."""
FROZEN = (Path(__file__).parent / "public_names.txt").read_text(encoding="utf-8").split()
PACKAGES = ["facedots"] + [
    f"facedots.{module.name}"
    for module in pkgutil.iter_modules(facedots.__path__)
    if module.ispkg and module.name != "cli"
]


def public_names(package: str) -> list[str]:
    """The names that a package offers, with the package before each."""
    return [f"{package}.{name}" for name in importlib.import_module(package).__all__]


def test_the_surface_is_frozen() -> None:
    offered = {name for package in PACKAGES for name in public_names(package)}
    assert sorted(offered) == sorted(FROZEN), (
        "a public name came or went: say so in public_names.txt"
    )


@pytest.mark.parametrize("name", FROZEN)
def test_each_public_name_is_there(name: str) -> None:
    package, _, attribute = name.rpartition(".")
    value = getattr(importlib.import_module(package), attribute)
    assert attribute in dir(importlib.import_module(package))
    if isinstance(value, type):
        assert value.__name__ == attribute
    modules = {
        module.name for module in pkgutil.iter_modules(importlib.import_module(package).__path__)
    }
    assert attribute not in modules, "a function that is called like its module is hidden by it"


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match=r"[Nn]o facedots attribute nothing"):
        getattr(facedots, "nothing")  # noqa: B009


def test_import_loads_nothing_else() -> None:
    code = (
        "import facedots, sys; "
        "print([name for name in ('numpy', 'cv2', 'onnxruntime', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_predicts_with_the_training_side_blocked(tiny_model: Path, tmp_path: Path) -> None:
    """In Python, and on the command line, where typer itself needs pydantic."""
    image, json_file = str(sample_portrait()), tmp_path / "j"
    arguments = [
        "predict",
        image,
        "--model",
        str(tiny_model),
        "--out",
        str(tmp_path),
        "--json",
        str(json_file),
    ]
    code = f"""
import sys
sys.modules.update(dict.fromkeys({BLOCKED!r}))
import facedots
pipeline = facedots.Pipeline(predictor=facedots.KeypointPredictor({str(tiny_model)!r}))
assert len(pipeline(facedots.read_image({image!r}))) == 1
del sys.modules["pydantic"]
from facedots.cli.main import main
sys.argv = ["facedots", *{arguments!r}]
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "1 face" in done.stdout
    assert len(json.loads(json_file.read_text())["images"][0]["faces"]) == 1
    assert (tmp_path / "grace_hopper_dots.jpg").is_file()


def imports(text: str) -> Iterator[str]:
    """The modules that Python source imports from."""
    for node in ast.walk(ast.parse(re.sub(r"^\s*[%!].*$", "", text, flags=re.MULTILINE))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def code(file: Path) -> Iterator[str]:
    """The Python source in a file: all of it, or the blocks of a Markdown page."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".py":
        yield text
    for language, block in re.findall(r"^```(python|pycon)\n(.*?)^```", text, re.DOTALL | re.M):
        if language == "python":
            yield block
        else:
            yield "\n".join(re.findall(r"^(?:>>>|\.\.\.) ?(.*)$", block, re.M))


@pytest.mark.parametrize("file", USERS, ids=lambda file: file.name)
def test_users_import_from_the_public_surfaces(file: Path) -> None:
    modules = {module for source in code(file) for module in imports(source)}
    deep = {module for module in modules if re.fullmatch(r"facedots(\.\w+){2,}", module)}
    assert not deep, "import from `facedots` or `facedots.<package>`"


def test_deep_imports_are_found() -> None:
    assert list(imports("%%time\nfrom facedots.data.splits import load_split")) == [
        "facedots.data.splits"
    ]

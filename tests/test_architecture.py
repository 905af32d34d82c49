"""Rules of docs/design.md that import-linter (``make lint``) cannot see."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import facedots

SRC = Path(facedots.__file__).parent
MODULES = {
    ".".join(file.relative_to(SRC.parent).with_suffix("").parts): file
    for file in sorted(SRC.rglob("*.py"))
    if file.name not in {"__init__.py", "__main__.py"}
}
PACKAGES = {"facedots"} | {f"facedots.{file.parent.name}" for file in SRC.glob("*/__init__.py")}

HEAVY = ("torch", "pandas", "matplotlib", "pydantic", "pytorch_lightning", "onnx", "jinja2", "yaml")
TRAINING_SIDE = {
    f"facedots.{name}"
    for name in ("annotations", "audit", "data", "evaluation", "inspection", "labeling", "models")
} | {"facedots.plots", "facedots.service", "facedots.training"}

each = pytest.mark.parametrize("module", MODULES)


def tree_of(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def test_the_inference_side_imports_where_training_is_not_installed() -> None:
    modules = [
        module
        for module in MODULES
        if ".".join(module.split(".")[:2]) not in TRAINING_SIDE and "_pyav" not in module
    ]
    assert "facedots.inference.predictor" in modules
    assert "facedots.cli.main" in modules
    code = f"import sys; sys.modules.update(dict.fromkeys({HEAVY})); import {', '.join(modules)}"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@each
def test_names_are_imported_from_the_module_that_defines_them(module: str) -> None:
    """Neither from the root package nor from a package's surface, which loads lazily."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            submodules = {f"{node.module}.{name.name}" for name in node.names} <= MODULES.keys()
            assert node.module not in PACKAGES or submodules, f"line {node.lineno}"
        elif isinstance(node, ast.Import):
            assert not PACKAGES & {name.name for name in node.names}, f"line {node.lineno}"


@each
def test_files_are_short_flat_and_documented(module: str) -> None:
    file = MODULES[module]
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 300
    assert len(file.relative_to(SRC).parts) <= 2
    assert ast.get_docstring(tree_of(module))


@pytest.mark.parametrize("module", [module for module in MODULES if module != "facedots.schema"])
def test_the_number_of_points_comes_from_the_schema(module: str) -> None:
    nodes = list(ast.walk(tree_of(module)))
    # The end of a slice or of range(first, end) is the index of a point, not a number of points.
    ends = {id(node.upper) for node in nodes if isinstance(node, ast.Slice)}
    ends |= {
        id(node.args[1])
        for node in nodes
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "range" and len(node.args) > 1
    }
    constants = [node for node in nodes if isinstance(node, ast.Constant) and id(node) not in ends]
    literals = [node.lineno for node in constants if node.value == 68]
    assert not literals, f"a literal 68 in lines {literals}"


@pytest.mark.parametrize(
    "name", sorted({file.relative_to(SRC).parts[0] for file in MODULES.values()})
)
def test_the_layout_in_the_design_is_complete(name: str) -> None:
    layout = (SRC.parents[1] / "docs" / "design.md").read_text(encoding="utf-8").split("## 2.")[0]
    assert f"── {name}" in layout


FORBIDDEN_CALLS = re.compile(
    r"eval|exec|compile|__import__|os\.(system|popen)|tempfile\.mktemp|tarfile\.(?!open|TarInfo|ReadError).*|.*\.extract(all)?"
    r"|yaml\.(?!safe_dump).*|(pickle|marshal|shelve|joblib|dill)\..*"
)
NEEDED_ARGUMENTS = {
    "torch.load": "weights_only=True",
    "np.load": "allow_pickle=False",
    "tarfile.open": "mode='r|",  # a stream, read from its start to its end
    "subprocess.run": "timeout",
    "urlopen": "timeout",
}


@each
def test_nothing_runs_code_from_files_or_waits_forever(module: str) -> None:
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Call):
            call = ast.unparse(node.func)
            assert not FORBIDDEN_CALLS.fullmatch(call), f"line {node.lineno}: {call}"
            keywords = [f"{key.arg}={ast.unparse(key.value)}" for key in node.keywords]
            assert "shell=True" not in keywords, f"line {node.lineno}"
            for name, needed in NEEDED_ARGUMENTS.items():
                if call == name or call.endswith(f".{name}"):
                    assert any(word.startswith(needed) for word in keywords), f"line {node.lineno}"

"""The rules of docs/design.md that a machine can check, read from the source itself."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import facedots

SRC = Path(facedots.__file__).parent
FILES = sorted(SRC.rglob("*.py"))

BASE = {"errors", "schema", "geometry", "regions", "types", "spec", "uncertainty"}
USE = BASE | {"io", "detection", "inference", "tracking"}
TRAINING = {"annotations", "data", "models", "training"}
MAY_IMPORT = {
    "errors": set[str](),
    "schema": {"errors"},
    "geometry": {"errors"},
    "regions": {"errors", "geometry", "schema"},
    "uncertainty": {"geometry", "schema"},
    "types": {"errors", "geometry", "schema", "regions", "uncertainty"},
    "spec": {"errors", "geometry", "schema"},
    "io": BASE,
    "annotations": BASE | {"io", "data"},
    "data": BASE | {"io", "annotations"},
    "models": BASE | {"io"},
    "detection": BASE | {"io"},
    "tracking": BASE | {"io"},
    "inference": BASE | {"io"},
    "pipeline": USE,
    "inspection": BASE | {"io", "inference"},
    "plots": BASE | {"io", "evaluation", "inference", "inspection", "models"},
    "evaluation": USE | {"annotations", "pipeline", "plots", "analysis"},
    "training": BASE | {"io", "annotations", "evaluation", "plots", "inference"} | TRAINING,
    "analysis": USE | {"pipeline", "plots"},
    "effects": USE | {"pipeline", "plots", "analysis"},
    "labeling": USE | {"annotations", "pipeline"},
    "audit": BASE | {"io", "annotations", "data", "evaluation", "analysis", "plots"},
    "cli": USE
    | TRAINING
    | {"audit", "pipeline", "plots", "analysis", "effects", "inspection", "evaluation", "labeling"},
}
"""Part -> the other parts that it may import. The module graph must have no cycle besides."""

HEAVY = {
    "torch",
    "pandas",
    "matplotlib",
    "pydantic",
    "pytorch_lightning",
    "lightning",
    "onnx",
    "onnxscript",
    "yaml",
    "tensorboard",
}
INFERENCE = BASE | {
    "io",
    "detection",
    "inference",
    "tracking",
    "pipeline",
    "analysis",
    "effects",
    "cli",
}
BESIDES = {"facedots", "facedots.plots.draw"}


def module_of(file: Path) -> str:
    """The dotted name that a file is imported by."""
    parts = file.relative_to(SRC.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(file): file for file in FILES}


def part_of(module: str) -> str:
    """The part of the project that a module belongs to; "" for the package itself."""
    return module.split(".")[1] if "." in module else ""


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def imports(module: str, *, when_loaded: bool) -> Iterator[str]:
    """The modules that a module imports: anywhere, or only while it is loaded itself."""
    waiting: list[ast.AST] = [tree_of(module)]
    while waiting:
        node = waiting.pop()
        if when_loaded and (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or is_type_checking(node)
        ):
            continue
        waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            source = node.module or ""
            inner = [
                f"{source}.{name.name}" for name in node.names if f"{source}.{name.name}" in MODULES
            ]
            yield from inner or [source]


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def loaded_with(module: str, seen: set[str]) -> set[str]:
    """Everything that importing a module loads, as far as the source of this project tells."""
    for name in {module, *imports(module, when_loaded=True)} if module in MODULES else set[str]():
        parents = [".".join(name.split(".")[: i + 1]) for i in range(name.count(".") + 1)]
        for parent in parents:
            if parent not in seen:
                seen.add(parent)
                loaded_with(parent, seen)
    return seen


def on_inference_side(module: str) -> bool:
    return module in BESIDES or (part_of(module) in INFERENCE)


def test_the_rules_can_fail() -> None:
    assert {"facedots.data.dataset", "torch.utils.data"} <= loaded_with(
        "facedots.data.dataset", set()
    )
    assert "facedots.schema" in loaded_with("facedots.data.dataset", set())
    assert not on_inference_side("facedots.data.dataset")
    assert on_inference_side("facedots.geometry")


@pytest.mark.parametrize("module", MODULES)
def test_arrows_point_one_way(module: str) -> None:
    part = part_of(module)
    wrong = {
        name
        for name in imports(module, when_loaded=False)
        if name.startswith("facedots.") and part and part_of(name) not in MAY_IMPORT[part] | {part}
    }
    assert not wrong, f"{module} may not import {wrong}; see docs/design.md"


@pytest.mark.parametrize("module", [module for module in MODULES if part_of(module) != "cli"])
def test_no_module_imports_the_package_itself(module: str) -> None:
    assert "facedots" not in set(imports(module, when_loaded=False)), (
        "import from the module that defines the name"
    )


def test_no_cycle() -> None:
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"cycle: {' -> '.join((*path[path.index(module) :], module))}"
        if module in MODULES and module not in done:
            for name in imports(module, when_loaded=True):
                visit(name, (*path, module))
            done.add(module)

    for module in MODULES:
        visit(module, ())


@pytest.mark.parametrize("module", [module for module in MODULES if on_inference_side(module)])
def test_using_a_network_loads_nothing_of_training(module: str) -> None:
    loaded = loaded_with(module, set())
    assert not {name for name in loaded if name.split(".")[0] in HEAVY}
    assert not {
        name for name in loaded if part_of(name) in TRAINING and name.startswith("facedots.")
    }


def test_the_inference_side_can_be_imported_where_training_cannot() -> None:
    modules = [
        module
        for module in MODULES
        if on_inference_side(module) and not module.endswith(("__main__", "_pyav"))
    ]
    code = f"import sys; sys.modules.update(dict.fromkeys({sorted(HEAVY)})); import {', '.join(modules)}"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("module", MODULES)
def test_files_are_short_flat_and_documented(module: str) -> None:
    file = MODULES[module]
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 300
    assert len(file.relative_to(SRC).parts) <= 3
    assert ast.get_docstring(tree_of(module))


@pytest.mark.parametrize("module", [module for module in MODULES if module != "facedots.schema"])
def test_the_number_of_points_comes_from_the_schema(module: str) -> None:
    # Where a slice or a range(first, end) ends is the index of a point, not a number of points.
    nodes = list(ast.walk(tree_of(module)))
    ends = {id(node.upper) for node in nodes if isinstance(node, ast.Slice)}
    ends |= {
        id(node.args[1])
        for node in nodes
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "range" and len(node.args) > 1
    }
    constants = [node for node in nodes if isinstance(node, ast.Constant) and id(node) not in ends]
    literals = [node.lineno for node in constants if node.value == 68]
    assert not literals, f"a literal 68 in lines {literals}"

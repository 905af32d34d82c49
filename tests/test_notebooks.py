"""The notebooks without running them: pairs in step, small outputs, no traces of a machine, public
names only.
"""

import ast
import base64
import importlib
import importlib.util
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import jupytext
import nbformat
import numpy as np
import pytest
from nbformat import NotebookNode
from PIL import Image

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "notebooks").glob("*.py"))
OTHERS = {
    "drawing",
    "IPython",
    "PIL",
    "cv2",
    "matplotlib",
    "numpy",
    "pandas",
    "torch",
    *sys.stdlib_module_names,
}
LARGEST_NOTEBOOK, LARGEST_OUTPUT = 500_000, 130_000
TRACES = re.compile(
    r"(?<![\w.:/])/(?:home|root|work|tmp|usr|Users|opt|var)\b|\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d"
)

each = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "run_notebooks", ROOT / "tools" / "run_notebooks.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def outputs(source: Path) -> Iterator[NotebookNode]:
    notebook = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    for cell in notebook.cells:
        yield from cell.get("outputs", [])


@each
def test_the_pair_is_in_step(runner: ModuleType, source: Path) -> None:
    assert runner.faults_of_pair(source) == []


@each
def test_the_committed_notebook_was_run_to_its_end(source: Path) -> None:
    notebook = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    nbformat.validate(notebook)
    numbers = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert numbers == list(range(1, len(numbers) + 1))
    assert all(cell.metadata == {} for cell in notebook.cells)


@each
def test_outputs_are_small_and_clean(source: Path) -> None:
    assert source.with_suffix(".ipynb").stat().st_size <= LARGEST_NOTEBOOK
    for output in outputs(source):
        assert output.get("name") != "stderr", output.text
        text = nbformat.v4.writes(
            nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(outputs=[output])])
        )
        assert len(text) <= LARGEST_OUTPUT
        images = [kind for kind in output.get("data", {}) if kind.startswith("image/")]
        text = output.get("text", "") + "".join(
            output.get("data", {}).get(kind, "") for kind in ("text/plain", "text/html")
        )
        assert images or not TRACES.search(text), text


@each
def test_the_source_names_no_place_on_a_machine(source: Path) -> None:
    assert not TRACES.search(source.read_text(encoding="utf-8"))


def test_traces_are_found() -> None:
    assert TRACES.search("saved to /home/me/x.png")
    assert TRACES.search("on 2026-11-22T10:00")
    assert not TRACES.search("../work/x and https://example.org/work/")


@each
def test_only_public_names_are_used(source: Path) -> None:
    code = "\n".join(
        cell.source for cell in jupytext.read(source).cells if cell.cell_type == "code"
    )
    tree = ast.parse(re.sub(r"^\s*[%!].*$", "", code, flags=re.MULTILINE))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            assert not re.match(r"_(?!_)", node.attr), f"{ast.unparse(node)} is private"
        if isinstance(node, ast.Import):
            assert {name.name.split(".")[0] for name in node.names} <= OTHERS | {"facedots"}
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            assert module.split(".")[0] in OTHERS | {"facedots"}
            assert not any(name.name.startswith("_") for name in node.names)
            if module.split(".")[0] == "facedots":
                assert all(
                    hasattr(importlib.import_module(module), name.name) for name in node.names
                )


def test_a_pair_out_of_step_is_reported(runner: ModuleType, tmp_path: Path) -> None:
    source = tmp_path / "09_x.py"
    source.write_text("# %% [markdown]\n# # Title\n\n# %%\nx = 1\n")
    assert "not there" in runner.faults_of_pair(source)[0]
    nbformat.write(runner.read_source(source), source.with_suffix(".ipynb"))
    assert runner.faults_of_pair(source) == []
    source.write_text("# %% [markdown]\n# # Title\n\n# %%\nx = 2\n")
    assert "cell 1 " in runner.faults_of_pair(source)[0]
    source.write_text("# %% [markdown]\n# # Title\n")
    assert "has 2 cells" in runner.faults_of_pair(source)[0]


def test_a_failing_cell_fails_the_run_and_nothing_is_written(
    runner: ModuleType, tmp_path: Path
) -> None:
    source = tmp_path / "09_x.py"
    source.write_text(
        "# %%\nimport os\nprint(os.environ.get('FACEDOTS_DATA'))\n\n# %%\nassert 1 == 2, 'sums'\n"
    )
    faults = runner.asyncio.run(runner.run_all([source], "", tmp_path / "out", 1))
    assert len(faults) == 1
    assert "sums" in faults[0]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("data", ["", "synthetic:10"])
def test_a_notebook_gets_its_data_from_the_environment(
    runner: ModuleType, tmp_path: Path, data: str
) -> None:
    source = tmp_path / "09_x.py"
    source.write_text("# %%\nimport os\nprint(os.environ.get('FACEDOTS_DATA'))\n")
    assert runner.asyncio.run(runner.run_all([source], data, tmp_path / "out", 1)) == []
    executed = nbformat.read(tmp_path / "out" / "09_x.ipynb", as_version=4)
    assert executed.cells[0].outputs[0].text.strip() == (data or "None")


def test_images_are_re_encoded_small_on_white(runner: ModuleType) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (400, 2000, 4), np.uint8)
    flat = np.zeros((50, 80, 4), np.uint8)  # see-through everywhere
    for pixels, kind in ((noise, "image/jpeg"), (flat, "image/png")):
        png = io.BytesIO()
        Image.fromarray(pixels).save(png, "PNG")
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell()])
        encoded = {"image/png": base64.b64encode(png.getvalue()).decode(), "text/plain": "<Figure>"}
        notebook.cells[0].outputs = [nbformat.v4.new_output("display_data", encoded)]
        runner.shrink(notebook)
        data = notebook.cells[0].outputs[0].data
        assert list(data) == [kind]
        small = base64.b64decode(data[kind])
        shown = Image.open(io.BytesIO(small)).convert("RGB")
        assert len(small) <= len(png.getvalue())
        assert shown.width == min(pixels.shape[1], 900)
        if kind == "image/png":
            assert np.asarray(shown).min() == 255

"""Run the notebooks, keep each pair of files in step, and keep committed outputs small.

    python tools/run_notebooks.py           # all, on the real data if available; to out/notebooks
    python tools/run_notebooks.py --update  # all, on drawn faces; writes notebooks/*.ipynb
    python tools/run_notebooks.py --check   # none; does each .ipynb hold the cells of its .py?

The ``.py`` file (jupytext's percent format) is the source; the ``.ipynb`` is made from it, never
edited: notebooks/README.md.
"""

import argparse
import asyncio
import base64
import io
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from PIL import Image
from traitlets.config import Config

from facedots.io import atomic_write

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "notebooks"
EXECUTED = ROOT / "out" / "notebooks"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
CELL_SECONDS = int(os.environ.get("CELL_SECONDS", "300"))
"""What one cell may take; a busy machine may need more."""
WIDEST = 900
"""Pixels; wider output images are made smaller."""


def main() -> None:
    """Run what the command line says; the exit status is 1 where a cell fails or a pair is out of
    step.
    """
    parser = argparse.ArgumentParser(
        description="Run the notebooks.", epilog="See notebooks/README.md."
    )
    parser.add_argument("names", nargs="*", help="only notebooks whose name starts so, as in 03")
    parser.add_argument(
        "--update", action="store_true", help="run on drawn faces and write notebooks/*.ipynb"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="run nothing; say which .ipynb do not hold the cells of their .py",
    )
    parser.add_argument(
        "--drawn", action="store_true", help="run on drawn faces even where the real data are"
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=min(2, os.cpu_count() or 1),
        help="notebooks at a time, of one thread each",
    )
    args = parser.parse_args()
    sources = [
        path
        for path in sorted(SOURCES.glob("*.py"))
        if not args.names or path.name.startswith(tuple(args.names))
    ]
    if not sources:
        parser.error(f"no notebook is called {' or '.join(args.names)}: see {SOURCES}")
    if args.check:
        faults = [fault for path in sources for fault in faults_of_pair(path)]
    else:
        data = "" if args.drawn or args.update else real_data()
        print(f"on {data or 'drawn faces'}, {args.jobs} at a time")
        faults = asyncio.run(
            run_all(sources, data, SOURCES if args.update else EXECUTED, args.jobs)
        )
    for fault in faults:
        print(fault, file=sys.stderr)
    sys.exit(bool(faults))


def real_data() -> str:
    """The folder with the real data, as the tests look for it; "" where there is none."""
    given = os.environ.get("FACEDOTS_DATA")
    folder = Path(given) if given else ROOT.parent / "shared" / "data"
    return str(folder.resolve()) if (folder / "youtube-faces").is_dir() else ""


def faults_of_pair(source: Path) -> list[str]:
    """What of a notebook's ``.ipynb`` is not as its ``.py`` says; nothing where the two are in
    sync.
    """
    pair, advice = (
        source.with_suffix(".ipynb"),
        f"make it with: python tools/run_notebooks.py --update {source.stem}",
    )
    if not pair.exists():
        return [f"{pair.name} is not there; {advice}"]
    wanted, found = [
        cells_of(notebook) for notebook in (read_source(source), nbformat.read(pair, as_version=4))
    ]
    if len(wanted) != len(found):
        return [f"{pair.name} has {len(found)} cells, {source.name} has {len(wanted)}; {advice}"]
    return [
        f"{pair.name}: cell {i} is not that of {source.name}; {advice}"
        for i in range(len(found))
        if wanted[i] != found[i]
    ]


def cells_of(notebook: NotebookNode) -> list[tuple[str, str]]:
    """Type and text of each cell."""
    return [(cell.cell_type, cell.source.rstrip()) for cell in notebook.cells]


def read_source(path: Path) -> NotebookNode:
    """The notebook that a ``.py`` file holds, with the same metadata and cell names each time it is
    read.
    """
    notebook = jupytext.read(path)
    notebook.metadata = NotebookNode(METADATA)
    for i, cell in enumerate(notebook.cells):
        cell.metadata, cell.id = NotebookNode(), f"cell-{i:02}"
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


async def run_all(sources: list[Path], data: str, out: Path, jobs: int) -> list[str]:
    """Run notebooks, some at a time, write them with their outputs into a folder, and return what
    went wrong.
    """
    free = asyncio.Semaphore(jobs)

    async def one(source: Path) -> str:
        async with free:
            return await run(source, data, out / source.with_suffix(".ipynb").name)

    return [fault for fault in await asyncio.gather(*map(one, sources)) if fault]


async def run(source: Path, data: str, target: Path) -> str:
    """Run one notebook in a fresh kernel; the folder of the notebooks is its working directory.

    Args:
        source: The ``.py`` file.
        data: What the notebook finds in ``$FACEDOTS_DATA``; "" for nothing.
        target: Where the executed notebook goes; where a cell fails, nothing is written.

    Returns:
        What went wrong; "" if nothing did.
    """
    notebook, start = read_source(source), time.monotonic()
    with TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            startup_timeout=CELL_SECONDS,
            record_timing=False,
            resources={"metadata": {"path": str(SOURCES)}},
            config=Config(KernelManager=connection(folder)),
        )
        try:
            await client.async_execute(env=kernel_environment(data))
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            return f"{source.name}: a cell failed\n{error}"
    shrink(notebook)
    text = nbformat.writes(notebook).rstrip() + "\n"
    atomic_write(target, text)
    print(f"{source.stem:34} {time.monotonic() - start:5.0f} s {len(text) / 1000:6.0f} kB")
    return ""


def connection(folder: str) -> dict[str, str]:
    """How to talk to a kernel: through files, since free ports are found by trying, and two kernels
    may find the same one.
    """
    return (
        {"transport": "ipc", "ip": f"{folder}/kernel"}
        if os.name == "posix"
        else {"transport": "tcp"}
    )


def kernel_environment(data: str) -> dict[str, str]:
    """The environment of a kernel: one thread, no colors in what is printed, and the data."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NO_COLOR": "1", "COLUMNS": "120"}
    environment.pop("FACEDOTS_DATA", None)
    return environment | ({"FACEDOTS_DATA": data} if data else {})


def shrink(notebook: NotebookNode) -> None:
    """Re-encode the images among a notebook's outputs, as JPEG or with a palette, whichever is
    smaller.
    """
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data:
                small = smaller(base64.b64decode(data.pop("image/png")))
                data.update(
                    {kind: base64.b64encode(image).decode() for kind, image in small.items()}
                )
                data.pop("text/plain", None)


def smaller(png: bytes) -> dict[str, bytes]:
    """The smallest of an image's encodings, by its media type."""
    shown = Image.open(io.BytesIO(png)).convert("RGBA")
    image = Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown).convert("RGB")
    if image.width > WIDEST:
        image = image.resize(
            (WIDEST, round(image.height * WIDEST / image.width)), Image.Resampling.LANCZOS
        )
    encoded = {}
    for kind, made in (("image/png", image.quantize(128)), ("image/jpeg", image)):
        data = io.BytesIO()
        made.save(data, format=kind.removeprefix("image/"), optimize=True, quality=75)
        encoded[kind] = data.getvalue()
    best = min(encoded, key=lambda kind: len(encoded[kind]))
    return {best: encoded[best]}


if __name__ == "__main__":
    main()

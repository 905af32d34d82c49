"""facedots in the browser beside face-api.js and MediaPipe, WebAssembly beside native code, and the
page: its first visit, its camera, its memory.

    make page && .venv/bin/pip install playwright==1.65.2 brotli==1.2.1
    python benchmarks/web.py [--data ../shared/data] [--faces 60] [--minutes 5]

Prints Markdown. Needs Debian's Chromium; the peers come from npm at the first call
(``web_pages.py``). All take turns in one run, in pages of their own, each on the same frames, with
the files of one host on this machine.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from common import ROOT, Faces, machine, markdown_table, options_with_data, parser_with_data
from playwright.sync_api import Browser, BrowserContext, Page
from web_browser import TIMEOUT_MS, chromium, measure_visits, processor_ms, run_camera, write_film
from web_pages import (
    BUILT,
    CONTESTANTS,
    EVERY_PAGE,
    NETWORK,
    PEERS,
    Contestant,
    Host,
    brotli_size,
    install_peers,
    plain_size,
)

from facedots import IBUG68, KeypointPredictor, Pipeline, load_split, write_image
from facedots.evaluation import measure_accuracy
from facedots.geometry import Floats

SETS = {"youtube-faces": "YouTube Faces test frames", "300w": "300-W validation photos"}
CLIP = "clips/clip_01.mp4"
TURNS, CHUNK = 10, 10
"""Of WebAssembly and native code: how often each gets its turn, and on how many frames."""
WARM_UP = 3
"""Runs and frames that do not count."""
CAMERA_SECONDS = 5
OTHER_FACE = 0.5
"""A face that lies farther from the labels on average, in eye distances, is another one."""


@dataclass
class Row:
    """What is measured of a contestant.

    Attributes:
        page: Its page, open.
        ms: Of each frame, from canvas to faces.
        cpu_ms: Of the browser for it.
        points: Of each frame, ``(68, 2)``; NaN where it found no such face.
        camera: Frames a second, and processor time of the browser a frame in ms.
    """

    contestant: Contestant
    page: Page
    ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    points: list[Floats] = field(default_factory=list)
    camera: tuple[float, float] = (np.nan, np.nan)


def visit(context: BrowserContext, url: str) -> Page:
    """A contestant's page, ready."""
    page = context.new_page()
    page.goto(url)
    page.wait_for_function("window.ready", timeout=TIMEOUT_MS)
    return page


def nearest(contestant: Contestant, faces: list[Any], label: Floats, shape: Any) -> Floats:
    """Of the faces found in a frame the labeled one; NaN where it is not among them."""
    eyes = np.linalg.norm(np.subtract(*label[list(IBUG68.norm_pair)]))
    found = [contestant.points(face, shape[1], shape[0]) for face in faces]
    off = [np.linalg.norm(points - label, axis=1).mean() / eyes for points in found]
    if not off or min(off) > OTHER_FACE:
        return np.full_like(label, np.nan)
    return found[int(np.argmin(off))]


def find_in_turns(rows: Sequence[Row], faces: Faces, urls: Sequence[str]) -> None:
    """Every contestant looks at every frame, in turn; the first ones twice, to warm up."""
    for row in rows:
        for url in urls[:WARM_UP]:
            find(row.page, url)
    for url, image, label in zip(urls, faces.images, faces.points, strict=True):
        for row in rows:
            row.page.evaluate("url => show(url)", url)
            before = processor_ms()
            answer = row.page.evaluate("findShown()")
            row.cpu_ms.append(processor_ms() - before)
            row.ms.append(answer["ms"])
            row.points.append(nearest(row.contestant, answer["faces"], label, image.shape))


def find(page: Page, url: str) -> float:
    """Let a page find the faces of a frame; its milliseconds."""
    page.evaluate("url => show(url)", url)
    return float(page.evaluate("findShown()")["ms"])


def follow_in_turns(rows: Sequence[Row]) -> None:
    """Every contestant follows the camera for some seconds."""
    for row in rows:
        row.page.evaluate("() => void start()")
        row.page.wait_for_function(f"window.frames > {10 * WARM_UP}", timeout=TIMEOUT_MS)
        row.camera = rate(row.page)
        row.page.evaluate("() => stop()")


def rate(page: Page) -> tuple[float, float]:
    """Frames a second, and the browser's processor time a frame in ms."""
    start, frames, used = time.perf_counter(), page.evaluate("frames"), processor_ms()
    page.wait_for_timeout(1000 * CAMERA_SECONDS)
    frames = page.evaluate("frames") - frames
    return frames / (time.perf_counter() - start), (processor_ms() - used) / max(1, frames)


def compare(browser: Browser, host: Host, names: Sequence[str], faces: Faces) -> str:
    """The table of a data set."""
    urls = []
    for i, image in enumerate(faces.images):
        write_image(host.folders[""] / f"{i}.png", image)
        urls.append(f"/{i}.png")
    with browser.new_context() as context:
        rows = [
            Row(CONTESTANTS[name], visit(context, f"{host.address}/{name}.html")) for name in names
        ]
        find_in_turns(rows, faces, urls)
        follow_in_turns(rows)
    head = ["", "NME %", "NME* %", "missed", "ms a frame: median", "best", "processor"]
    head += ["camera: frames a second", "processor ms a frame"]
    return markdown_table(head, [cells(row, faces.points) for row in rows])


def cells(row: Row, labels: Floats) -> list[str]:
    """A line of that table."""
    accuracy = measure_accuracy(np.stack(row.points), labels, IBUG68)
    numbers = [np.median(row.ms), min(row.ms), np.mean(row.cpu_ms), *row.camera]
    return [
        row.contestant.name,
        *(f"{error:.2f}" for error in (accuracy.nme, accuracy.nme_shift_free)),
        str(accuracy.missed),
        *(f"{number:.0f}" for number in numbers),
    ]


def sizes(browser: Browser, host: Host, names: Sequence[str]) -> str:
    """The table of what a first visit loads, until a frame was looked at."""
    lines = []
    for name in names:
        host.forget()
        with browser.new_context() as context:
            find(visit(context, f"{host.address}/{name}.html"), "/0.png")
        files = [file for file, _ in host.sent if file.suffix != ".png"]
        megabytes = [sum(map(size, files)) / 1e6 for size in (plain_size, brotli_size)]
        lines.append([CONTESTANTS[name].name, str(len(files)), *(f"{mb:.2f}" for mb in megabytes)])
    return markdown_table(["first visit", "files", "MB", "MB, host with brotli"], lines)


def milliseconds(call: Callable[[], object], count: int) -> list[float]:
    """Of each of ``count`` calls."""
    times = []
    for _ in range(count):
        start = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - start))
    return times


def compare_native(browser: Browser, faces: Faces, folder: Path) -> str:
    """WebAssembly beside native code, in turn: a network on one crop, and from image to faces."""
    networks = ROOT / "web" / "package" / "assets"
    runtime = ROOT / "web" / "node_modules" / "onnxruntime-web" / "dist"
    folders = {"": folder, "package": BUILT["package"], "assets": networks, "runtime": runtime}
    lines = []
    for name in ("tiny", "small"):
        texts = {"/network.html": module(NETWORK.format(model=name))}
        texts["/faces.html"] = module(CONTESTANTS[name].script + EVERY_PAGE)
        host = Host(folders, texts)
        with browser.new_context() as context:
            pages = [visit(context, host.address + path) for path in texts]
            lines += native_lines(name, networks / f"{name}.onnx", pages, faces)
    return markdown_table(["ms: median (best)", "WebAssembly", "native", "ratio"], lines)


def native_lines(name: str, file: Path, pages: list[Page], faces: Faces) -> list[list[str]]:
    """The lines of a network; the first turn warms up."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options)
    side = session.get_inputs()[0].shape[1]
    crop = {"crops": np.zeros((1, side, side, 3), np.uint8)}
    pipeline = Pipeline(predictor=KeypointPredictor(name))
    times: list[list[list[float]]] = []
    for turn, image in enumerate(faces.images[: TURNS + 1]):
        times.append(
            [
                pages[0].evaluate("([side, count]) => runs(side, count)", [side, 5 * CHUNK]),
                milliseconds(partial(session.run, None, crop), 5 * CHUNK),
                [find(pages[1], f"/{turn}.png") for _ in range(CHUNK)],
                milliseconds(partial(pipeline, image), CHUNK),
            ]
        )
    web, native, web_all, native_all = map(np.concatenate, zip(*times[1:], strict=True))
    return [
        native_line(f"`{name}` on a crop", web, native),
        native_line(f"`{name}`, image to faces", web_all, native_all),
    ]


def module(script: str) -> str:
    """A page with a script."""
    return f'<!doctype html><script type="module">{script}</script>'


def native_line(name: str, web: Floats, native: Floats) -> list[str]:
    """Medians, best ones, their ratios."""
    pairs = [(np.median(web), np.median(native)), (min(web), min(native))]
    cells = [f"{median:.2f} ({best:.2f})" for median, best in zip(*pairs, strict=True)]
    ratios = [ours / theirs for ours, theirs in pairs]
    return [name, *cells, "{:.1f} ({:.1f})".format(*ratios)]


def page_table(browser: Browser, minutes: float) -> str:
    """The page: what a visit loads, the first dots, the camera and its memory."""
    small, plain = measure_visits(browser, True), measure_visits(browser, False)
    run = run_camera(browser, minutes)
    lines = [
        ["first visit, MB: host with brotli, without", f"{small.first:.2f}, {plain.first:.2f}"],
        ["second visit, MB", f"{small.second:.2f}, {plain.second:.2f}"],
        ["dots on the sample after, s", f"{small.seconds:.1f}, {plain.seconds:.1f}"],
        ["camera 640 x 480, frames a second", f"{run.frames_a_second:.0f}"],
        [
            "processor time a frame, ms: page, browser; a page that only shows the camera",
            f"{run.cpu_ms:.0f}, {run.browser_ms:.0f}; {run.bare_cpu_ms:.0f}",
        ],
        ["searches for new faces in 30 frames", f"{run.searches:.2f}"],
        [
            "longest task of the page's thread, ms",
            f"{run.blocked_ms:.0f}" if run.blocked_ms else "< 50",
        ],
    ]
    memory = {"objects": run.heap_mb, "process": run.resident_mb, "the other page": run.bare_mb}
    for name, samples in memory.items():
        ends = f"{samples[0]:.1f}, {samples[-1]:.1f}, {run.growth(samples):+.2f}"
        lines.append([f"memory, MB: {name} first, last, growth a minute", ends])
    return markdown_table([f"page, {minutes:g} minutes of camera", ""], lines)


def main() -> None:
    """Measure, print Markdown."""
    parser = parser_with_data(__doc__)
    parser.add_argument("--faces", type=int, default=60, help="of each of two data sets")
    parser.add_argument("--minutes", type=float, default=5, help="of camera")
    parser.add_argument("--only", nargs="*", choices=CONTESTANTS, default=[*CONTESTANTS])
    options = options_with_data(parser)
    install_peers()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_film(options.data / CLIP, folder / "camera.mjpeg")
        with chromium(folder / "camera.mjpeg") as browser:
            print(f"{date.today()}, {machine()}, Chromium {browser.version}\n", flush=True)
            texts = {
                f"/{name}.html": module(CONTESTANTS[name].script + EVERY_PAGE)
                for name in options.only
            }
            folders = {"": folder, "package": BUILT["package"], "peers": PEERS / "node_modules"}
            host = Host(folders, texts)
            for source, title in SETS.items():
                test = load_split(options.data, [source], "official").test
                faces = Faces.of(test[:: max(1, len(test) // options.faces)])
                print(f"{title}, {len(faces.images)}:\n", flush=True)
                print(compare(browser, host, options.only, faces), "\n", flush=True)
            print(sizes(browser, host, options.only), "\n", flush=True)
            print(compare_native(browser, faces, folder), "\n", flush=True)
        with chromium(folder / "camera.mjpeg") as browser:
            print(page_table(browser, options.minutes))


if __name__ == "__main__":
    main()

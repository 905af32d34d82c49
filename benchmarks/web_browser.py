"""Chromium for ``web.py``, its processor time and memory, and what is measured of the page: its
first visit, its camera.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import psutil
from playwright.sync_api import Browser, Page, sync_playwright
from web_pages import BUILT, Host

from facedots import open_reader

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
SWITCHES = (
    *("no-sandbox", "no-first-run", "disable-background-networking", "disable-component-update"),
    *("use-fake-ui-for-media-stream", "use-fake-device-for-media-stream"),
    "enable-unsafe-swiftshader",  # WebGL without a GPU, which MediaPipe needs
)
TIMEOUT_MS = 120_000
CLIP_FRAMES = 150
COUNTERS = """
[window.frames, window.detections, window.blocked] = [0, 0, 0];
window.Worker = class extends Worker {
  constructor(...options) {
    super(...options);
    this.addEventListener("message", ({ data }) => {
      if (data.result?.searched !== undefined) window.frames++;
      if (data.result?.searched) window.detections++;
    });
  }
};
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) window.blocked = Math.max(window.blocked, duration);
}).observe({ type: "longtask" });
"""
"""Of frames, those that were searched for new faces, and the longest task of the page's thread in
ms.
"""
BARE = """
<!doctype html>
<canvas width="640" height="480"></canvas>
<script type="module">
  const [canvas, video] = [document.querySelector("canvas"), document.createElement("video")];
  video.srcObject = await navigator.mediaDevices.getUserMedia({ video: true });
  await video.play();
  const draw = () => {
    window.frames++;
    canvas.getContext("2d").drawImage(video, 0, 0);
    video.requestVideoFrameCallback(draw);
  };
  draw();
</script>
"""
"""A page that only shows the camera: what the browser needs by itself."""
SECONDS = 15
"""For which the camera's frames and their processor time are counted."""


@dataclass(frozen=True)
class Visits:
    """What a host sent, in MB (10^6 bytes), and seconds from the address to dots on the sample."""

    first: float
    second: float
    seconds: float


@dataclass(frozen=True)
class CameraRun:
    """The page with a camera.

    Attributes:
        frames_a_second: That it showed.
        cpu_ms: Processor time a frame of its process, which decodes, finds and draws.
        bare_cpu_ms: The same of a page that only shows the camera.
        browser_ms: The same of the whole browser.
        blocked_ms: The longest task of its thread; 0 where none took 50 ms.
        searches: For new faces, in 30 frames.
        heap_mb: Its objects after garbage collection, by samples.
        resident_mb: Its process, by samples.
        bare_mb: The process of the other page, by samples at the same times.
        minutes: When the samples were taken.
    """

    frames_a_second: float
    cpu_ms: float
    bare_cpu_ms: float
    browser_ms: float
    blocked_ms: float
    searches: float
    heap_mb: tuple[float, ...]
    resident_mb: tuple[float, ...]
    bare_mb: tuple[float, ...]
    minutes: tuple[float, ...]

    def growth(self, samples: tuple[float, ...]) -> float:
        """MB a minute, by a line through the samples after the first fifth."""
        kept = len(samples) // 5
        return float(np.polyfit(self.minutes[kept:], samples[kept:], 1)[0])


@contextmanager
def chromium(film: Path) -> Iterator[Browser]:
    """Debian's Chromium, headless; its camera shows the film."""
    switches = [*SWITCHES, f"use-file-for-fake-video-capture={film}"]
    with sync_playwright() as playwright:
        launch = playwright.chromium.launch
        browser = launch(executable_path=CHROMIUM, args=[f"--{switch}" for switch in switches])
        yield browser
        browser.close()


def write_film(clip: Path, film: Path) -> None:
    """A square clip forward and back at 640 x 480, as the JPEG images that Chromium takes."""
    images = []
    with open_reader(clip) as reader:
        for frame in reader:
            small = cv2.resize(frame.image, (480, 480), interpolation=cv2.INTER_AREA)
            wide = cv2.copyMakeBorder(small, 0, 0, 80, 80, cv2.BORDER_REPLICATE)
            images.append(cv2.imencode(".jpg", cv2.cvtColor(wide, cv2.COLOR_RGB2BGR))[1].tobytes())
            if len(images) == CLIP_FRAMES:
                break
    film.write_bytes(b"".join([*images, *reversed(images)]))


def processes(kind: str = "") -> list[psutil.Process]:
    """Those of the browsers started here: all, or the ones of a ``--type=``."""
    children = psutil.Process().children(recursive=True)
    named = [child for child in children if "chrom" in child.name()]
    return [child for child in named if not kind or f"--type={kind}" in child.cmdline()]


def processor_ms(kind: str = "") -> float:
    """Processor time that they have used so far."""
    times = [process.cpu_times() for process in processes(kind)]
    return 1000 * float(sum(one.user + one.system for one in times))


def measure_visits(browser: Browser, compress: bool) -> Visits:
    """A first visit and a second one, with the drawn sample."""
    host = Host({"": BUILT["page"]}, brotli=compress)
    with browser.new_context() as context:
        page = context.new_page()
        start = time.perf_counter()
        look_at_sample(page, host.address)
        seconds = time.perf_counter() - start
        page.wait_for_timeout(2000)  # the service worker keeps the page
        first = host.megabytes
        host.forget()
        look_at_sample(context.new_page(), host.address)
        return Visits(first, host.megabytes, seconds)


def look_at_sample(page: Page, address: str) -> None:
    """Open the page and wait for the dots of the sample."""
    page.goto(address, wait_until="commit")
    page.click("#sample")
    page.wait_for_function("() => /face in/.test(document.querySelector('#status').textContent)")


@contextmanager
def following(browser: Browser, address: str) -> Iterator[Page]:
    """A page that has followed the camera for 100 frames."""
    with browser.new_context() as context:
        page = context.new_page()
        page.add_init_script(COUNTERS)
        page.goto(address)
        if button := page.query_selector("#camera"):
            button.click()
        page.wait_for_function("() => frames > 100", timeout=TIMEOUT_MS)
        page.evaluate("[window.frames, window.detections, window.blocked] = [0, 0, 0]")
        yield page


def frame_costs(page: Page) -> tuple[int, float, float]:
    """Of a page that follows the camera: frames in the next seconds, and the processor time that
    one takes of its process and of the whole browser, in ms.
    """
    own, all_of_it, before = processor_ms("renderer"), processor_ms(), page.evaluate("frames")
    page.wait_for_timeout(1000 * SECONDS)
    frames = page.evaluate("frames") - before
    costs = processor_ms("renderer") - own, processor_ms() - all_of_it
    return frames, costs[0] / frames, costs[1] / frames


def run_camera(browser: Browser, minutes: float) -> CameraRun:
    """Let the page follow the camera; a sample of its memory ten times a minute, beside one of a
    page that only shows the camera.
    """
    host = Host({"": BUILT["page"]}, {"/bare.html": BARE}, brotli=True)
    bare = f"{host.address}/bare.html"
    with following(browser, bare) as page:
        _, bare_ms, _ = frame_costs(page)
    with following(browser, host.address) as page:
        frames, cpu_ms, browser_ms = frame_costs(page)
        blocked, searches = page.evaluate("[blocked, 30 * detections / frames]")
        own = {process.pid for process in processes("renderer")}
        with following(browser, bare):
            samples = list(memory_samples(page, own, minutes))
    rate = frames / SECONDS
    return CameraRun(
        rate, cpu_ms, bare_ms, browser_ms, blocked, searches, *zip(*samples, strict=True)
    )


def memory_samples(
    page: Page, own: set[int], minutes: float
) -> Iterator[tuple[float, float, float, float]]:
    """MB of a page's objects, of its process (the largest of ``own``), of the largest other one;
    and when, in minutes.
    """
    devtools = page.context.new_cdp_session(page)
    start = time.perf_counter()
    while (passed := (time.perf_counter() - start) / 60) < minutes:
        devtools.send("HeapProfiler.collectGarbage")
        heap = devtools.send("Runtime.getHeapUsage")["usedSize"] / 1e6
        sizes: dict[bool, float] = {}
        for process in processes("renderer"):
            is_own = process.pid in own
            size = process.memory_info().rss / 1e6
            sizes[is_own] = max(sizes.get(is_own, 0), size)
        yield heap, sizes[True], sizes[False], passed
        page.wait_for_timeout(6000)

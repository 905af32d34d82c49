"""What the service costs beside the plain loop: requests a second, latency, and a minute of load.

    python benchmarks/service.py [--data ../shared/data] [--workers 2] [--rounds 3] [--seconds 10]
        [--load-seconds 60] [--out out/service.json]

The plain loop is as many processes as the service has workers, each of which decodes images, finds
the faces and makes their JSON. Loop and service take turns in one run, so that what else the
machine does hits both; processor seconds a request hardly depend on it. Requests come from a
process of their own that speaks HTTP by hand, whose processor seconds are told, too.
"""

import argparse
import asyncio
import json
import multiprocessing
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import cv2
import numpy as np
import psutil
from common import machine, options_with_data, parser_with_data

from facedots import IBUG68, ImageResult, KeypointPredictor, Pipeline, PrecomputedBoxes, to_json
from facedots.io import atomic_write, decode_image, sample_portrait

IMAGES = 24
HEALTH_SECONDS = 0.2
LATENCY_CLIENTS = (1, 16, 64)


def images(data: Path) -> list[bytes]:
    """Image files of test frames of YouTube Faces, else the sample portrait."""
    files = sorted((data / "youtube-faces" / "test").glob("*.jpg"))[:: 770 // IMAGES][:IMAGES]
    return [file.read_bytes() for file in files or [sample_portrait()]]


def boxes_of(files: Sequence[bytes]) -> list[list[list[float]]]:
    """The boxes that the detector finds."""
    pipeline = Pipeline()
    return [[face.box.tolist() for face in pipeline(decode_image(file))] for file in files]


def loop(seconds: float, files: Sequence[bytes], boxes: Sequence[Any] | None) -> tuple[int, float]:
    """How many images one process does, and its processor seconds; starting it is not counted."""
    cv2.setNumThreads(1)
    whole, predictor = Pipeline(), KeypointPredictor()
    pipelines = [
        whole if boxes is None else Pipeline(PrecomputedBoxes(boxes[i]), predictor)
        for i in range(len(files))
    ]
    pipelines[0](decode_image(files[0]))
    count, cpu, end = 0, time.process_time(), time.monotonic() + seconds
    while time.monotonic() < end:
        i = count % len(files)
        image = decode_image(files[i])
        faces = pipelines[i](image)
        to_json([ImageResult("a", image.shape[1], image.shape[0], faces)], IBUG68, "small")
        count += 1
    return count, time.process_time() - cpu


def plain(
    workers: int, seconds: float, files: Sequence[bytes], boxes: Sequence[Any] | None
) -> dict[str, float]:
    """The loop in several processes at once: images a second, processor seconds an image."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn) as pool:
        runs = [pool.submit(loop, seconds, files, boxes) for _ in range(workers)]
        counts, cpu = zip(*(run.result() for run in runs), strict=True)
    return {"rate": sum(counts) / seconds, "cpu": sum(cpu) / sum(counts)}


async def ask(
    url: str, requests: Sequence[bytes], start: int, end: float, times: list[tuple[int, float]]
) -> None:
    """One client: request after request on one connection; a full service is asked again when it
    says.
    """
    address, number = urlsplit(url), start
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    while (began := time.monotonic()) < end:
        writer.write(requests[number % len(requests)])
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        await reader.readexactly(int(head.partition("content-length: ")[2].split()[0]))
        status, number = int(head.split()[1]), number + 1
        times.append((status, time.monotonic() - began))
        if status == 503:
            await asyncio.sleep(float(head.partition("retry-after: ")[2].split()[0]))
    writer.close()


def generate(
    url: str, requests: Sequence[bytes], clients: int, seconds: float
) -> tuple[list[tuple[int, float]], float]:
    """Status and seconds of each request of several clients, and the processor seconds of them."""

    async def run() -> list[tuple[int, float]]:
        times, end = list[tuple[int, float]](), time.monotonic() + seconds
        await asyncio.gather(*(ask(url, requests, i, end, times) for i in range(clients)))
        return times

    cpu = time.process_time()
    return asyncio.run(run()), time.process_time() - cpu


class Service:
    """A running ``facedots serve``."""

    def __init__(self, process: subprocess.Popen[bytes], url: str) -> None:
        self.url, self._parent = url, psutil.Process(process.pid)
        self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        self._pool.submit(int).result()

    def requests(self, files: Sequence[bytes], boxes: Sequence[Any] | None) -> list[bytes]:
        """HTTP requests as bytes."""
        queries = [
            "" if boxes is None else f"?{urlencode({'boxes': json.dumps(each)})}"
            for each in boxes or files
        ]
        head = "POST /v1/faces{} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n"
        pairs = zip(queries, files, strict=True)
        return [head.format(query, len(file)).encode() + file for query, file in pairs]

    def load(self, requests: Sequence[bytes], clients: int, seconds: float) -> dict[str, Any]:
        """What several clients see, what the workers take, and how soon /healthz answers."""
        before, memory, health = self._cpu(), list[float](), list[float]()
        run = self._pool.submit(generate, self.url, requests, clients, seconds)
        probe = [b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"]
        while not run.done():
            health += [taken for _, taken in generate(self.url, probe, 1, HEALTH_SECONDS / 100)[0]]
            memory.append(sum(w.memory_info().rss for w in self._parent.children()) / 1e6)
            time.sleep(HEALTH_SECONDS)
        (times, cpu), taken = run.result(), self._cpu() - before
        done = [seconds for status, seconds in times if status == 200]
        p50, p99 = np.percentile(done, [50, 99]) * 1000
        warm = len(memory) // 4
        return {
            "clients": clients,
            "rate": len(done) / seconds,
            "cpu": taken / len(done),
            "client_cpu": cpu / len(times),
            "p50_ms": p50,
            "p99_ms": p99,
            "statuses": dict(Counter(status for status, _ in times)),
            "health_ms": max(health) * 1000,
            "memory_mb": [memory[warm], memory[-1]],
        }

    def _cpu(self) -> float:
        """Processor seconds of all processes so far."""
        everyone = [self._parent, *self._parent.children(recursive=True)]
        return sum(sum(each.cpu_times()[:2]) for each in everyone)


@contextmanager
def serving(workers: int) -> Iterator[Service]:
    """A service at a free port, warm."""
    command = [sys.executable, "-m", "facedots", "serve", "--port", "0", "--workers", str(workers)]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as file:
            process = subprocess.Popen(command, stderr=file)
        try:
            while not (found := re.search(r"http://\S+", log.read_text())):
                if process.poll() is not None:
                    raise SystemExit(log.read_text())
                time.sleep(0.2)
            service = Service(process, found[0])
            request = service.requests([sample_portrait().read_bytes()], None)
            service.load(request, 8 * workers, 5)
            yield service
        finally:
            process.terminate()
            process.wait()


def compare(
    service: Service, options: argparse.Namespace, files: Sequence[bytes], boxes: Any
) -> dict[str, Any]:
    """Loop and service in turn: medians over the rounds of the rates' ratio and of the seconds."""
    requests, pairs = service.requests(files, boxes), []
    for _ in range(options.rounds):
        own = plain(options.workers, options.seconds, files, boxes)
        pairs.append((own, service.load(requests, 16, options.seconds)))
    middle = partial(np.median, axis=0)
    rates = middle([[own["rate"], there["rate"]] for own, there in pairs])
    cpu = middle([[own["cpu"], there["cpu"], there["client_cpu"]] for own, there in pairs])
    ratios = [there["rate"] / own["rate"] for own, there in pairs]
    return {
        "ratio": float(np.median(ratios)),
        "ratios": ratios,
        "cpu_ratio": cpu[0] / cpu[1],
        **dict(zip(("loop_rate", "service_rate"), rates.tolist(), strict=True)),
        **dict(zip(("loop_cpu", "service_cpu", "client_cpu"), cpu.tolist(), strict=True)),
    }


def main() -> None:
    """Measure, print, write."""
    parser = parser_with_data(__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--load-seconds", type=float, default=60)
    parser.add_argument("--out", type=Path, default=Path("out/service.json"))
    options = options_with_data(parser)
    files = images(options.data)
    boxes = boxes_of(files)
    result: dict[str, Any] = {"date": str(date.today()), "machine": machine()}
    with serving(options.workers) as service:
        result["detector"] = compare(service, options, files, None)
        result["boxes"] = compare(service, options, files, boxes)
        requests = service.requests(files, None)
        for clients in LATENCY_CLIENTS:
            result[f"clients_{clients}"] = service.load(requests, clients, options.seconds)
        result["load"] = service.load(requests, max(LATENCY_CLIENTS), options.load_seconds)
    result["load_average"] = psutil.getloadavg()
    atomic_write(options.out, json.dumps(result, indent=2))
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()

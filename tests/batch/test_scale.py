"""Batches of thousands, with both engines, under SIGKILL, and from S3; `make test-scale`."""

import contextlib
import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyarrow.parquet
import pytest
from tests.batch.small_images import begun_parts, make_images, part_bytes, work_through
from tests.servers import QuietHandler, serving

from facedots.batch.options import BatchOptions
from facedots.batch.run import run_batch
from facedots.errors import FacedotsError
from facedots.pipeline_options import PipelineOptions

pytestmark = pytest.mark.scale

COUNT = int(os.environ.get("FACEDOTS_SCALE_IMAGES", "2000"))
KILLS = int(os.environ.get("FACEDOTS_SCALE_KILLS", "3"))
PART = 50


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    make_images(folder, COUNT)
    (folder / "00007.jpg").write_bytes(b"no image")
    return folder


@pytest.fixture(scope="module")
def plain(
    many: Path, networks: PipelineOptions, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """What one process makes of the images without any engine."""
    out = tmp_path_factory.mktemp("plain")
    work_through(out, networks, [str(many)], PART)
    return part_bytes(out)


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_each_engine_writes_what_the_plain_loop_does(
    engine: str, many: Path, plain: dict[str, bytes], networks: PipelineOptions, tmp_path: Path
) -> None:
    options = BatchOptions(engine=engine, workers=2, part_size=PART)  # type: ignore[arg-type]
    progress = run_batch([str(many)], tmp_path, networks, options)
    assert progress.images == COUNT
    assert progress.stats.errors == {"ImageError": 1}
    assert part_bytes(tmp_path) == plain


def victims(driver: psutil.Process) -> dict[str, list[psutil.Process]]:
    """The processes that may be killed, by what they are."""
    groups: dict[str, list[psutil.Process]] = {"driver": [driver], "worker": [], "raylet": []}
    for process in driver.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            words = " ".join(process.cmdline())
            if "spawn_main" in words or "ray::MapWorker" in words:
                groups["worker"].append(process)
            elif process.name() == "raylet":
                groups["raylet"].append(process)
    return {name: found for name, found in groups.items() if found}


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_random_sigkills_lose_at_most_the_parts_at_work(
    engine: str, many: Path, plain: dict[str, bytes], networks: PipelineOptions, tmp_path: Path
) -> None:
    rng, out, done = random.Random(engine), tmp_path / "out", dict[str, int]()
    command = [sys.executable, "-m", "facedots", "batch", str(many), "--out", str(out)]
    command += ["--model", networks.model, "--engine", engine, "--workers", "2"]
    command += ["--part-size", str(PART)]
    kinds = ["worker", "driver", *(["raylet"] if engine == "ray" else [])]
    kills, lost, begun = KILLS, 0, set[str]()
    while True:
        with subprocess.Popen(command, stdout=-3, stderr=-3, start_new_session=True) as run:
            driver = psutil.Process(run.pid)
            while run.poll() is None:
                finished = {file.name: file.stat().st_mtime_ns for file in files_of(out)}
                assert finished.items() >= done.items(), "a finished part was done again"
                begun |= {file.name for file in begun_parts(out)}
                again = len(begun) - len({name[:9] for name in begun})
                assert again <= lost, "a kill lost more than a part of each of its workers"
                new = len(finished) - len(done)
                if kills and new >= rng.randint(1, 2 + len(plain) // (2 * KILLS)):
                    time.sleep(rng.uniform(0, 0.3))
                    kind = kinds[kills % len(kinds)]
                    with contextlib.suppress(psutil.Error):
                        if begun_parts(out) and (found := victims(driver).get(kind)):
                            done = {file.name: file.stat().st_mtime_ns for file in files_of(out)}
                            rng.choice(found).kill()
                            kills -= 1
                            lost += 1 if kind == "worker" else 2
                time.sleep(0.1)
            if run.returncode == 1 and len(files_of(out)) == len(plain):
                break  # 1: one of the images is broken
    assert not kills, "the batch ended before all processes were killed; take more images"
    assert part_bytes(out) == plain
    assert not list((out / "attempts").iterdir())
    assert len(list((out / "parts").iterdir())) == len(plain)


def test_without_a_cluster_at_the_address_ray_is_an_error(
    many: Path, networks: PipelineOptions, tmp_path: Path
) -> None:
    options = BatchOptions(engine="ray", address="auto")
    with pytest.raises(FacedotsError, match=r"^Ray: .*; is a cluster at --address"):
        run_batch([str(many)], tmp_path, networks, options)


def files_of(out: Path) -> list[Path]:
    """The finished parts."""
    return list(out.glob("parts/part-*.parquet"))


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of moto's S3 server, which holds a bucket ``faces``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": address,
    }.items():
        monkeypatch.setenv(name, value)
    command = [str(Path(sys.executable).with_name("moto_server")), "-p", str(port)]
    with subprocess.Popen(command, stdout=-3, stderr=-3) as server:
        for _ in range(300):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(address, timeout=1).close()
                break
            time.sleep(0.1)
        yield address
        server.kill()


def test_images_and_shards_on_s3(
    s3: str, networks: PipelineOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And while the server answers 503 there are errors in rows, which are tried again later."""
    import s3fs

    files = make_images(tmp_path / "images", 20)
    store = s3fs.S3FileSystem(skip_instance_cache=True)
    store.mkdir("faces")
    for file in files:
        store.put(str(file), f"faces/images/{file.name}")
    tar = tmp_path / "0.tar"
    subprocess.run(["tar", "cf", tar, "-C", tmp_path, "images"], check=True, timeout=60)
    store.put(str(tar), "faces/0.tar")
    sources = ["s3://faces/images", "s3://faces/*.tar"]
    options = BatchOptions(part_size=20)
    progress = run_batch(sources, tmp_path / "out", networks, options)
    assert (progress.parts, progress.stats.images, progress.stats.errors) == (2, 40, {})
    before = part_bytes(tmp_path / "out")
    for file in files_of(tmp_path / "out"):
        file.unlink()
    with unavailable() as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        progress = run_batch(sources, tmp_path / "out", networks, options)
    assert progress.stats.images == 0
    assert progress.stats.errors.keys() == {"DownloadError"}
    rows = pyarrow.parquet.read_table(tmp_path / "out" / "parts").to_pylist()
    assert "s3://faces/images/00000.jpg" in {row["source"] for row in rows}
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3)
    again = BatchOptions(part_size=20, retry_errors=True)
    assert run_batch(sources, tmp_path / "out", networks, again).stats.errors == {}
    assert part_bytes(tmp_path / "out") == before


@contextlib.contextmanager
def unavailable() -> Iterator[str]:
    """The address of a server that answers 503 to everything."""

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            self.send_error(503)

        do_HEAD = do_GET

    with serving(Handler) as address:
        yield address

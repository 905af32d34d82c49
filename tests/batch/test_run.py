"""A batch on this machine: begun, stopped, killed, and gone on with."""

import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.batch.small_images import begun_parts, make_images, part_bytes, work_through

from facedots.batch.options import BatchOptions
from facedots.batch.run import BatchProgress, run_batch
from facedots.errors import OutputError
from facedots.io.locks import lock_folder
from facedots.pipeline_options import PipelineOptions

TWO = BatchOptions(part_size=3, workers=2)


def test_killed_processes_lose_nothing(
    tmp_path: Path, networks: PipelineOptions, images: Path
) -> None:
    """And what two processes write is what one does, byte for byte."""
    killed, left = set[int](), list[Path]()

    def kill(progress: BatchProgress) -> None:
        workers = subprocess.run(
            ["pgrep", "-P", str(os.getpid()), "-f", "spawn_main"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        ).stdout.split()
        if progress.finished == 1 and workers:
            os.kill(int(workers[-1]), signal.SIGKILL)
            killed.add(int(workers[-1]))
        left[:] = begun_parts(out)

    out = tmp_path / "out"
    progress = run_batch([str(images)], out, networks, TWO, on_part=kill)
    assert killed
    assert len(left) <= 1, "more than the killed process had begun was begun anew"
    assert not begun_parts(out)
    assert (progress.done, progress.stats.images, progress.stats.errors) == (
        4,
        11,
        {"ImageError": 1},
    )
    work_through(tmp_path / "plain", networks, [str(images)], 3)
    assert part_bytes(out) == part_bytes(tmp_path / "plain")
    assert not list((out / "attempts").iterdir())


@pytest.fixture
def done(tmp_path: Path, networks: PipelineOptions) -> tuple[Path, Path]:
    """A folder of images, and a batch of them that is done."""
    make_images(tmp_path / "images", 6)
    out = tmp_path / "out"
    run_batch([str(tmp_path / "images")], out, networks, BatchOptions(part_size=3))
    return tmp_path / "images", out


def test_a_restart_does_what_is_missing_damaged_or_changed_and_no_more(
    done: tuple[Path, Path], networks: PipelineOptions
) -> None:
    images, out = done
    options = BatchOptions(part_size=3)

    def again() -> int:
        return run_batch([str(images)], out, networks, options).finished

    before = part_bytes(out)
    (first, second) = sorted(out.glob("parts/*.parquet"))
    assert again() == 0
    second.unlink()
    (out / "parts" / ".1234.part.parquet").write_bytes(b"left by a killed process")
    assert again() == 1
    first.write_bytes(b"cut off")
    assert again() == 1
    os.utime(images / "00000.jpg")
    assert again() == 1
    assert part_bytes(out) == before
    assert len(list((out / "parts").iterdir())) == 2
    (images / "00005.jpg").unlink()  # what is done stays done
    assert again() == 0


def test_other_options_sources_or_networks_are_refused(
    done: tuple[Path, Path], networks: PipelineOptions
) -> None:
    images, out = done
    with pytest.raises(OutputError, match="begun with part-size 3 instead of 4"):
        run_batch([str(images)], out, networks, BatchOptions(part_size=4))
    with pytest.raises(OutputError, match="begun with sources"):
        run_batch([str(images / "00000.jpg")], out, networks, BatchOptions(part_size=3))
    with pytest.raises(OutputError, match=r"begun with model .* instead of tiny"):
        run_batch([str(images)], out, PipelineOptions(model="tiny"), BatchOptions(part_size=3))
    (out / "manifest.jsonl").write_text("{")
    with pytest.raises(OutputError, match=r"manifest\.jsonl: damaged.*; delete the folder"):
        run_batch([str(images)], out, networks, BatchOptions(part_size=3))


def test_two_batches_in_one_folder_are_refused(
    done: tuple[Path, Path], networks: PipelineOptions
) -> None:
    images, out = done
    code = (
        "import sys; from pathlib import Path; from facedots.io.locks import lock_folder\n"
        "with lock_folder(Path(sys.argv[1])): print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(out)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(OutputError, match="another `facedots batch` is at work"):
            run_batch([str(images)], out, networks, BatchOptions(part_size=3))
        other.kill()
    with lock_folder(out) as is_ours:
        assert is_ours


def test_no_process_works_on_where_a_callback_fails(
    tmp_path: Path, networks: PipelineOptions
) -> None:
    make_images(tmp_path / "images", 8)

    def fail(progress: BatchProgress) -> None:
        if progress.finished:
            raise ZeroDivisionError

    options = BatchOptions(part_size=2, workers=1)
    images, out = str(tmp_path / "images"), tmp_path / "out"
    with pytest.raises(ZeroDivisionError) as caught:
        run_batch([images], out, networks, options, on_part=fail)
    assert caught.tb  # it keeps what is not closed
    assert not multiprocessing.active_children()
    with lock_folder(out) as is_ours:
        assert is_ours


def test_limited_runs_follow_each_other_and_errors_are_tried_again(
    tmp_path: Path, networks: PipelineOptions
) -> None:
    images = tmp_path / "images"
    files = make_images(images, 4)
    good = files[1].read_bytes()
    files[1].write_bytes(b"broken")
    once = BatchOptions(part_size=2, limit=1)
    first = run_batch([str(images)], tmp_path / "out", networks, once)
    second = run_batch([str(images)], tmp_path / "out", networks, once)
    assert (first.done, second.done, second.finished, second.parts) == (1, 2, 1, 2)
    old = (tmp_path / "out" / "summary.json").stat().st_mtime - 100
    files[1].write_bytes(good)
    os.utime(files[1], (old, old))  # as if a server had been away
    retry = BatchOptions(part_size=2, retry_errors=True)
    third = run_batch([str(images)], tmp_path / "out", networks, retry)
    assert (third.finished, third.stats.images, third.stats.errors) == (1, 4, {})

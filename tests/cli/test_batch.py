"""``facedots batch``."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.batch.small_images import make_images


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "facedots", "batch", *map(str, words)]


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), capture_output=True, text=True, timeout=100, check=False)


def test_it_counts_what_it_finds_and_errors_end_with_status_1(
    tmp_path: Path, tiny_model: Path
) -> None:
    make_images(tmp_path / "images", 10)
    (tmp_path / "images" / "00000.jpg").write_bytes(b"no image")
    words = (tmp_path / "images", "--out", tmp_path / "out", "--model", tiny_model)
    dry = run(*words, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert dry.stdout == (
        "1 part, about 10 images, about 0.0 MB; less than 0.01 core hours, as 8 images took on "
        "this machine\n"
    )
    assert not (tmp_path / "out").exists()
    done = run(*words)
    assert done.returncode == 1
    assert done.stdout == (
        f"{tmp_path}/out: 1 of 1 parts; 9 images, 8 faces, 1 without a face; errors: 1 ImageError\n"
    )
    where, failure = done.stderr.splitlines()
    assert where.endswith(f": columns source and error of {tmp_path}/out/parts/*.parquet")
    assert failure.startswith(f"  {tmp_path}/images/00000.jpg: not an image")
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (summary["faces"], summary["errors"]) == (8, {"ImageError": 1})
    unused = run(*words, "--address", "auto")
    assert "--address: it needs --engine ray" in unused.stderr
    refused = run(*words, "--part-size", 2)
    assert refused.stderr.startswith(f"error: {tmp_path}/out: begun with part-size 256 instead")


def test_what_is_not_there_leaves_no_folder_behind(tmp_path: Path) -> None:
    make_images(tmp_path / "images", 1)
    names = [tmp_path / "nothing", tmp_path / "images", tmp_path / "gone.jpg"]
    refused = run(*names, "--out", tmp_path / "out")
    assert refused.stderr == f"error: {names[0]}, {names[2]}: no such file or folder\n"
    assert not (tmp_path / "out").exists()


def test_ctrl_c_stops_it_and_the_same_command_goes_on(tmp_path: Path, tiny_model: Path) -> None:
    make_images(tmp_path / "images", 240)
    words: list[object] = [tmp_path / "images", "--out", tmp_path / "out", "--model", tiny_model]
    words += ["--part-size", 2]
    with subprocess.Popen(
        command(*words),
        stderr=-1,
        stdout=-1,
        text=True,
        start_new_session=True,
        # Ignored where the tests run in a shell's background.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    ) as first:
        while not list(tmp_path.glob("out/parts/part-*")):
            time.sleep(0.02)
        os.killpg(first.pid, signal.SIGINT)
        output, errors = first.communicate(timeout=60)
    assert first.returncode == 130
    assert "stopped; the same command goes on" in errors
    assert " of 120 parts; " in output
    files = list((tmp_path / "out" / "parts").iterdir())
    assert all(file.name.startswith("part-") for file in files)
    assert len(files) < 120
    assert not list((tmp_path / "out" / "attempts").iterdir())
    done = run(*words)
    assert done.returncode == 0
    assert "120 of 120 parts; 240 images, " in done.stdout

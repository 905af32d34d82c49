"""tools/gpu_run.py: a call says whether a training failed, and brings back what there is."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gpu_archive
import gpu_run
import pytest


def start(run: Path, job: Mapping[str, Any], workers: int) -> "subprocess.Popen[bytes]":
    """As `gpu_run.start`, with code in place of a training."""
    run.mkdir(parents=True)
    (run / gpu_run.LOG).write_text(f"{run.name}'s last line\n")
    return subprocess.Popen([sys.executable, "-c", job["code"]], start_new_session=True)


@pytest.mark.parametrize("fails", [True, False])
def test_the_status_tells_of_trainings_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fails: bool
) -> None:
    queue, out = tmp_path / "queue.yaml", tmp_path / "out"
    queue.write_text(
        f"queue: {{bad: {{code: exit({2 * fails})}}, good: {{code: exit()}},"
        " long: {code: import time; time.sleep(60)}}"
    )
    monkeypatch.setattr(gpu_run, "start", start)
    monkeypatch.setattr(gpu_run, "WORK", tmp_path / "there")
    monkeypatch.setattr(gpu_run, "CARRIED", tmp_path / "carried")
    arguments = ["train", f"--queue={queue}", "--seconds=42", f"--out={out}"]
    monkeypatch.setattr(sys, "argv", ["gpu_run.py", *arguments])
    if fails:
        with pytest.raises(SystemExit, match=r"failed: bad; their train\.log came back"):
            gpu_run.main()
    else:  # stopped when the time is over is no failure
        gpu_run.main()
    assert "long's last line" in capsys.readouterr().out
    gpu_archive.join_parts(out, tmp_path / "carried", tmp_path / "here")
    came_back = {run.name for run in (tmp_path / "here" / "runs").iterdir()}
    assert came_back == {"bad", "good", "long"}

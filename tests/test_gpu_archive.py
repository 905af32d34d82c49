"""tools/gpu_archive.py: runs come back whole, or nothing is overwritten."""

from pathlib import Path

import gpu_archive
import pytest


def test_runs_come_back_only_with_all_of_their_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_archive, "_PART", 4096)
    run, out, carried = tmp_path / "tiny", tmp_path / "out", tmp_path / "carried"
    run.mkdir()
    (run / "train.log").write_text("epoch 1")
    gpu_archive.save_runs([run], out)
    gpu_archive.join_parts(out, carried, tmp_path / "here")
    assert (tmp_path / "here" / "runs" / "tiny" / "train.log").read_text() == "epoch 1"
    before = (carried / "runs.tar").read_bytes()

    with pytest.raises(SystemExit, match="here: no runs; give the whole folder"):
        gpu_archive.join_parts(tmp_path / "here", carried, tmp_path / "other")
    max(out.iterdir()).unlink()
    with pytest.raises(SystemExit, match=r"out: runs\.tar\.1-of-3, runs\.tar\.2-of-3; give"):
        gpu_archive.join_parts(out, carried, tmp_path / "other")
    assert (carried / "runs.tar").read_bytes() == before
    assert not (tmp_path / "other").exists()

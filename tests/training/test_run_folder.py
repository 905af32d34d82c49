"""The log of a run that goes on, whatever a killed process left of it."""

from pathlib import Path

import pytest

from facedots.training.run_folder import archive_metrics, merge_metrics


@pytest.mark.parametrize(
    ("damage", "kept"),
    [
        (b"", ["0,0,0.5"]),
        (b"1", ["0,0,0.5"]),
        (b"1,", ["0,0,0.5"]),
        (b"1,1", ["0,0,0.5"]),
        (b"1,1,0.4\n\0\0\0\n\xff,x,\n1\n", ["0,0,0.5", "1,1,0.4"]),
    ],
)
def test_a_log_that_is_cut_is_merged_without_its_last_row(
    damage: bytes, kept: list[str], tmp_path: Path
) -> None:
    metrics = tmp_path / "metrics.csv"
    metrics.write_bytes(b"epoch,step,loss\n0,0,0.5\n" + damage)
    parts = archive_metrics(metrics)
    metrics.write_text("epoch,step,loss\n2,2,0.3\n")
    merge_metrics(parts, metrics)
    assert metrics.read_text().splitlines() == ["epoch,step,loss", *kept, "2,2,0.3"]
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.csv"]


@pytest.mark.parametrize("log", [b"", b"epoch,st", b"epoch,step\n", b"no log\n1,2,3\n"])
def test_a_log_without_a_whole_row_is_no_hindrance(log: bytes, tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.csv"
    metrics.write_bytes(log)
    merge_metrics(archive_metrics(metrics), metrics)
    assert not metrics.read_text().strip()

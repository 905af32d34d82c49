"""What a batch is thought to cost."""

from pathlib import Path

from tests.batch.small_images import make_images

from facedots.batch.estimate import estimate_batch
from facedots.batch.sources import Part
from facedots.batch.work import Job
from facedots.io.tar_files import TarWriter
from facedots.pipeline_options import PipelineOptions


def test_only_the_images_of_a_shard_are_counted(tmp_path: Path, networks: PipelineOptions) -> None:
    make_images(tmp_path / "images", 1)
    data = next((tmp_path / "images").iterdir()).read_bytes()
    with TarWriter(tmp_path / "pack.tar") as tar:
        for number in range(100):  # more files than are looked at
            tar.add(f"{number:09}.jpg", data)
            tar.add(f"{number:09}.json", bytes(len(data)))
    part = Part("tar", (str(tmp_path / "pack.tar"),))
    assert 90 <= estimate_batch(Job(tmp_path, networks), [part]).images <= 110

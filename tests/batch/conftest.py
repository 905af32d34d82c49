"""Fixtures of the tests of batches."""

from pathlib import Path

import pytest
from tests.batch.small_images import make_images

from facedots.pipeline_options import PipelineOptions


@pytest.fixture(scope="session")
def networks(tiny_model: Path) -> PipelineOptions:
    return PipelineOptions(model=str(tiny_model))


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve images, one of them broken, one gray."""
    folder = tmp_path_factory.mktemp("images")
    make_images(folder, 12)
    (folder / "00004.jpg").write_bytes(b"no image")
    return folder

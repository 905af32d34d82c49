"""Fixtures that several test files share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with the real data; the test is skipped where it is not."""
    given = os.environ.get("FACEDOTS_DATA")
    folder = Path(given) if given else Path(__file__).parents[2] / "shared" / "data"
    if not (folder / "youtube-faces").is_dir():
        pytest.skip(f"no real data at {folder}; set FACEDOTS_DATA to the folder that holds youtube-faces/")
    return folder

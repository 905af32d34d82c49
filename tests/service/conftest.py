"""One application with small limits, called without a socket."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from facedots.io.images import sample_portrait
from facedots.service.app import create_app
from facedots.service.settings import ServiceLimits, ServiceSettings


@pytest.fixture(scope="session")
def portrait() -> bytes:
    """The bytes of the sample portrait: one face in 512 x 600 pixels."""
    return sample_portrait().read_bytes()


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    """Of a service with the networks ``small``, the default, and ``tiny``."""
    limits = ServiceLimits(max_bytes=200_000, max_pixels=1_000_000, max_images=3, max_faces=5)
    with TestClient(create_app(ServiceSettings(models=("tiny",), limits=limits))) as client:
        yield client

"""The client that waits for each answer."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, Self, Unpack

import httpx
from numpy.typing import ArrayLike

from facedots.client.answers import (
    Answer,
    explain_failures,
    read_answer,
    read_batch,
    read_document,
    read_frame,
    seconds_to_wait,
)
from facedots.client.requests import (
    FindOptions,
    ImageInput,
    ImageOptions,
    authorization,
    encode_image,
    image_form,
    stream_url,
)
from facedots.client.sockets import explain_socket, socket_settings
from facedots.errors import ServiceError


class Client:
    """A service of ``facedots serve``; may be shared by threads.

    Args:
        url: Where it is served.
        token: The token it was started with.
        patience: Seconds for which a call waits in all where the service is full (503) and says
            when to come again.
        timeout: Seconds without an answer after which a call fails.

    Example:
        >>> with Client("http://127.0.0.1:8000") as client:  # doctest: +SKIP
        ...     answer = client.faces("portrait.jpg", pose=True)
        ...     print(answer.faces[0].points.shape, answer.faces[0].pose.yaw)
        (68, 2) -7.31
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        token: str | None = None,
        *,
        patience: float = 60.0,
        timeout: float = 90.0,
    ) -> None:
        self.url, self._token = url.rstrip("/"), token
        self._patience, self._timeout = patience, timeout
        self._http = httpx.Client(headers=authorization(token), timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back; may be called twice."""
        self._http.close()

    def faces(
        self, image: ImageInput, boxes: ArrayLike | None = None, **options: Unpack[ImageOptions]
    ) -> Answer:
        """The faces in an image, best first.

        Args:
            image: An RGB array, the bytes of an image file, or its path.
            boxes: Tight boxes (N, 4), ``x0 y0 x1 y1``: no detector runs, and the faces come in the
                order of the boxes.
            options: As docs/how-to/serve.md has them.

        Raises:
            ServiceError: The service cannot be reached, is full, or refuses the request.
            ImageError, ShapeError: The image cannot be read.
        """
        lists = None if boxes is None else [boxes]
        form = image_form([image], lists, options, several=False)
        with explain_failures(self.url):
            return read_answer(self._call("POST", "/v1/faces", form))

    def batch(
        self,
        images: Sequence[ImageInput],
        boxes: Sequence[ArrayLike] | None = None,
        **options: Unpack[ImageOptions],
    ) -> list[Answer | ServiceError]:
        """The same of several images in one request; the error of one that the service cannot read
        stands in its place.
        """
        form = image_form(images, boxes, options, several=True)
        with explain_failures(self.url):
            return read_batch(self._call("POST", "/v1/faces:batch", form))

    def models(self) -> dict[str, Any]:
        """The networks, detectors, defaults and limits of the service; raises as :meth:`faces`."""
        with explain_failures(self.url):
            return self._call("GET", "/v1/models", {})

    def track(
        self, frames: Iterable[ImageInput], **options: Unpack[FindOptions]
    ) -> Iterator[Answer | ServiceError]:
        """The faces of the frames of a video, with the same ``track_id`` from frame to frame; the
        error of a frame stands in its place. Raises as :meth:`faces`.
        """
        from websockets.sync.client import connect

        url = stream_url(self.url, options)
        with ExitStack() as stack:
            with explain_socket(url):
                opened = connect(url, **socket_settings(self._token))
                socket = stack.enter_context(opened)
            for data in map(encode_image, frames):
                with explain_socket(url):
                    socket.send(data)
                    answer = read_frame(socket.recv(self._timeout))
                yield answer

    def _call(self, method: str, path: str, form: dict[str, Any]) -> dict[str, Any]:
        """The JSON of an answer, once the service is not full."""
        patience = self._patience
        while True:
            response = self._http.request(method, self.url + path, **form)
            wait = seconds_to_wait(response, patience)
            if wait is None:
                return read_document(response)
            time.sleep(wait)
            patience -= wait

"""The clients: one that waits for each answer, and one for asyncio."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar, Self, TypeVar, Unpack

import httpx
import websockets.asyncio.client
import websockets.sync.client
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
    Form,
    ImageInput,
    ImageOptions,
    authorization,
    batch_form,
    encode_image,
    image_form,
    stream_url,
)
from facedots.errors import ServiceError

T = TypeVar("T")


class _Service:
    """What both clients know of the service."""

    _http_type: ClassVar[type[Any]]

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        token: str | None = None,
        *,
        patience: float = 60.0,
        timeout: float = 90.0,
    ) -> None:
        self.url, self._patience, self._timeout = url.rstrip("/"), patience, timeout
        headers = authorization(token)
        self._http = self._http_type(headers=headers, timeout=timeout)
        self._socket_settings: dict[str, Any] = {
            "additional_headers": headers,
            "max_size": None,
            "compression": None,
        }

    def _request(self, path: str, form: Form | None) -> httpx.Request:
        request: httpx.Request = self._http.build_request(
            "POST" if form else "GET", self.url + path, **(form or {})
        )
        return request


class Client(_Service):
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

    _http: httpx.Client
    _http_type = httpx.Client

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
        return self._call(read_answer, "/v1/faces", image_form(image, boxes, options))

    def batch(
        self,
        images: Sequence[ImageInput],
        boxes: Sequence[ArrayLike] | None = None,
        **options: Unpack[ImageOptions],
    ) -> list[Answer | ServiceError]:
        """The same of several images in one request; the error of one that the service cannot read
        stands in its place.
        """
        return self._call(read_batch, "/v1/faces:batch", batch_form(images, boxes, options))

    def models(self) -> dict[str, Any]:
        """The networks, detectors, defaults and limits of the service; raises as :meth:`faces`."""
        return self._call(dict, "/v1/models")

    def track(
        self, frames: Iterable[ImageInput], **options: Unpack[FindOptions]
    ) -> Iterator[Answer | ServiceError]:
        """The faces of the frames of a video, with the same ``track_id`` from frame to frame; the
        error of a frame stands in its place. Raises as :meth:`faces`.
        """
        url = stream_url(self.url, options)
        with explain_failures(url):
            socket = websockets.sync.client.connect(url, **self._socket_settings)
        with socket:
            for data in map(encode_image, frames):
                with explain_failures(url):
                    socket.send(data)
                    answer = read_frame(socket.recv(self._timeout))
                yield answer

    def _call(self, read: Callable[[dict[str, Any]], T], path: str, form: Form | None = None) -> T:
        """What is read in an answer, once the service is not full."""
        patience = self._patience
        with explain_failures(self.url):
            while True:
                response = self._http.send(self._request(path, form))
                wait = seconds_to_wait(response, patience)
                if wait is None:
                    return read(read_document(response))
                time.sleep(wait)
                patience -= wait


class AsyncClient(_Service):
    """:class:`Client` for asyncio: the same arguments and errors.

    Example:
        >>> async with AsyncClient("http://127.0.0.1:8000") as client:  # doctest: +SKIP
        ...     answers = await asyncio.gather(*map(client.faces, ["a.jpg", "b.jpg"]))
    """

    _http: httpx.AsyncClient
    _http_type = httpx.AsyncClient

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Give the connections back; may be called twice."""
        await self._http.aclose()

    async def faces(
        self, image: ImageInput, boxes: ArrayLike | None = None, **options: Unpack[ImageOptions]
    ) -> Answer:
        """As :meth:`Client.faces`."""
        return await self._call(read_answer, "/v1/faces", image_form(image, boxes, options))

    async def batch(
        self,
        images: Sequence[ImageInput],
        boxes: Sequence[ArrayLike] | None = None,
        **options: Unpack[ImageOptions],
    ) -> list[Answer | ServiceError]:
        """As :meth:`Client.batch`."""
        return await self._call(read_batch, "/v1/faces:batch", batch_form(images, boxes, options))

    async def models(self) -> dict[str, Any]:
        """As :meth:`Client.models`."""
        return await self._call(dict, "/v1/models")

    async def track(
        self, frames: Iterable[ImageInput], **options: Unpack[FindOptions]
    ) -> AsyncIterator[Answer | ServiceError]:
        """As :meth:`Client.track`."""
        url = stream_url(self.url, options)
        with explain_failures(url):
            socket = await websockets.asyncio.client.connect(url, **self._socket_settings)
        async with socket:
            for data in map(encode_image, frames):
                with explain_failures(url):
                    async with asyncio.timeout(self._timeout):
                        await socket.send(data)
                        answer = read_frame(await socket.recv())
                yield answer

    async def _call(
        self, read: Callable[[dict[str, Any]], T], path: str, form: Form | None = None
    ) -> T:
        """As :meth:`Client._call`."""
        patience = self._patience
        with explain_failures(self.url):
            while True:
                response = await self._http.send(self._request(path, form))
                wait = seconds_to_wait(response, patience)
                if wait is None:
                    return read(read_document(response))
                await asyncio.sleep(wait)
                patience -= wait

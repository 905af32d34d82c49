"""The client for asyncio."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack
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


class AsyncClient:
    """:class:`~facedots.client.blocking.Client` for asyncio: the same arguments and errors.

    Example:
        >>> async with AsyncClient("http://127.0.0.1:8000") as client:  # doctest: +SKIP
        ...     answers = await asyncio.gather(*map(client.faces, ["a.jpg", "b.jpg"]))
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
        self._http = httpx.AsyncClient(headers=authorization(token), timeout=timeout)

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
        """As :meth:`Client.faces <facedots.client.blocking.Client.faces>`."""
        lists = None if boxes is None else [boxes]
        form = image_form([image], lists, options, several=False)
        with explain_failures(self.url):
            return read_answer(await self._call("POST", "/v1/faces", form))

    async def batch(
        self,
        images: Sequence[ImageInput],
        boxes: Sequence[ArrayLike] | None = None,
        **options: Unpack[ImageOptions],
    ) -> list[Answer | ServiceError]:
        """As :meth:`Client.batch <facedots.client.blocking.Client.batch>`."""
        form = image_form(images, boxes, options, several=True)
        with explain_failures(self.url):
            return read_batch(await self._call("POST", "/v1/faces:batch", form))

    async def models(self) -> dict[str, Any]:
        """As :meth:`Client.models <facedots.client.blocking.Client.models>`."""
        with explain_failures(self.url):
            return await self._call("GET", "/v1/models", {})

    async def track(
        self, frames: Iterable[ImageInput], **options: Unpack[FindOptions]
    ) -> AsyncIterator[Answer | ServiceError]:
        """As :meth:`Client.track <facedots.client.blocking.Client.track>`."""
        from websockets.asyncio.client import connect

        url = stream_url(self.url, options)
        async with AsyncExitStack() as stack:
            with explain_socket(url):
                opened = connect(url, **socket_settings(self._token))
                socket = await stack.enter_async_context(opened)
            for data in map(encode_image, frames):
                with explain_socket(url):
                    async with asyncio.timeout(self._timeout):
                        await socket.send(data)
                        answer = read_frame(await socket.recv())
                yield answer

    async def _call(self, method: str, path: str, form: dict[str, Any]) -> dict[str, Any]:
        """The JSON of an answer, once the service is not full."""
        patience = self._patience
        while True:
            response = await self._http.request(method, self.url + path, **form)
            wait = seconds_to_wait(response, patience)
            if wait is None:
                return read_document(response)
            await asyncio.sleep(wait)
            patience -= wait

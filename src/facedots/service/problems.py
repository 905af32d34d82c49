"""Errors of the service as problem documents (RFC 9457), which name the limit that was met."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.responses import Response

from facedots.io.text import json_line

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):  # noqa: N818 (RFC 9457's word)
    """What went wrong with a request, for its client.

    Args:
        status: The HTTP status.
        detail: One sentence on this case.
        limit: Name and value of the limit that was met, if any.
        retry_after: Seconds after which the same request may succeed.
        errors: What is wrong with each option, if several may be.

    Example:
        >>> Problem(413, "too large", limit=("max-bytes", 100)).document["limit"]
        {'name': 'max-bytes', 'value': 100}
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        limit: tuple[str, float] | None = None,
        retry_after: int | None = None,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.document: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
        }
        if limit:
            self.document["limit"] = {"name": limit[0], "value": limit[1]}
        if errors:
            self.document["errors"] = list(errors)
        retry = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self.headers = {"Cache-Control": "no-store", **(headers or {}), **retry}

    @classmethod
    def of(cls, error: Exception) -> "Problem":
        """The problem that another exception stands for; an unexpected one tells nothing.

        >>> Problem.of(ZeroDivisionError("secret")).document["detail"]
        'the server failed; its log has the cause'
        """
        if isinstance(error, Problem):
            return error
        if isinstance(error, HTTPException):
            return cls(error.status_code, error.detail, headers=error.headers)
        if isinstance(error, RequestValidationError):
            return cls.of_options(error.errors())
        if isinstance(error, ClientDisconnect):
            return cls(400, "the request ended before its body did")
        return cls(500, "the server failed; its log has the cause")

    @classmethod
    def of_options(cls, errors: Sequence[Mapping[str, Any]]) -> "Problem":
        """Of what pydantic found wrong; the values themselves are not repeated."""
        faults = [
            {"option": ".".join(map(str, error["loc"])), "detail": _fault(error)}
            for error in errors
        ]
        text = "; ".join(f"{fault['option']}: {fault['detail']}" for fault in faults[:3])
        return cls(422, text, errors=faults)

    def response(self) -> Response:
        """The answer to send."""
        return Response(json_line(self.document), self.status, self.headers, MEDIA_TYPE)


def _fault(error: Mapping[str, Any]) -> str:
    """What is wrong with an option; pydantic calls an unknown one an extra input."""
    if error["type"] == "extra_forbidden":
        return "there is no such option"
    return str(error["msg"]).removeprefix("Value error, ")


async def _answer(_: HTTPConnection, error: Exception) -> Response:
    return Problem.of(error).response()


def answer_with_problems(app: FastAPI) -> None:
    """Let every error of an application be answered by a problem document."""
    for kind in (Problem, HTTPException, RequestValidationError, ClientDisconnect, Exception):
        app.add_exception_handler(kind, _answer)

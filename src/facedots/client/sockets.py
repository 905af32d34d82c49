"""What both clients share of WebSockets: settings, and errors in their place."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from websockets.exceptions import InvalidStatus, WebSocketException

from facedots.client.answers import explain_failures, problem_error, unreachable
from facedots.client.requests import authorization


def socket_settings(token: str | None) -> dict[str, Any]:
    """How a stream is opened."""
    return {"additional_headers": authorization(token), "max_size": None, "compression": None}


@contextmanager
def explain_socket(url: str) -> Iterator[None]:
    """Turn what goes wrong with a stream into :class:`ServiceError`."""
    try:
        with explain_failures(url):
            yield
    except InvalidStatus as error:
        status = error.response.status_code
        try:
            problem = dict(json.loads(error.response.body or b""))
        except (TypeError, ValueError):  # of a proxy
            problem = {}
        raise problem_error(url, problem, status) from error
    except (WebSocketException, OSError) as error:
        raise unreachable(url, error) from error

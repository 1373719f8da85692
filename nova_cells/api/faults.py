# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Problems on their way out: a family becomes a status and a fault body.

Handlers raise what happened (``domain.errors``); this is the only place that knows status
codes.  Never shows a traceback: what nobody expected is logged with its request id, and the
user reads one sentence.
"""

import typing

import orjson

from nova_cells.domain import errors

STATUS: dict[str, int] = {
    "invalid": 400, "refused": 403, "not_found": 404, "conflict": 409, "over_limit": 403,
    "unsupported": 501, "cell_down": 503, "moved": 503, "stale": 409, "no_place": 409,
    "bug": 500,
}
NAMES: dict[int, str] = {
    400: "badRequest", 401: "unauthorized", 403: "forbidden", 404: "itemNotFound",
    405: "badMethod", 409: "conflictingRequest", 413: "overLimit", 415: "badMediaType",
    422: "unprocessableEntity",
    429: "overLimit", 501: "notImplemented", 503: "serviceUnavailable",
}
RETRY_AFTER = 5                          # seconds; a cell's breaker closes in about that time
UNEXPECTED = ("Unexpected API Error. Please report it with the request id that this reply "
              "carries.")


class Http(errors.Problem):
    """A problem of the transport, not of the domain: it knows its own status."""

    family = "http"
    status = 500


class NotAcceptable(Http):
    """No such version of the API."""

    status = 406


class NoMethod(Http):
    """The path exists, the method does not."""

    status = 405


class Gone(Http):
    """It was there once, and will not come back."""

    status = 410


class TooLarge(Http):
    """The body is larger than the service reads."""

    status = 413


class WrongMedia(Http):
    """The body is not of a type that the service reads."""

    status = 415


class Unauthorized(Http):
    """Nobody knows who asks."""

    status = 401


def status_of(problem: errors.Problem) -> int:
    """The HTTP status of a problem."""
    if isinstance(problem, Http):
        return problem.status
    return typing.cast(int, problem.facts.get("status")) or STATUS.get(problem.family, 500)


def body(status: int, message: str) -> bytes:
    """The fault document."""
    fault: dict[str, typing.Any] = {"code": status, "message": message}
    if status in (413, 429):
        fault["retryAfter"] = "0"
    return orjson.dumps({NAMES.get(status, "computeFault"): fault})


def headers(status: int) -> list[tuple[str, str]]:
    """What goes with a fault besides its body."""
    return [("Retry-After", str(RETRY_AFTER))] if status == 503 else []

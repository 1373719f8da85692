# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""``/healthz`` and ``/readyz`` on the API's own port, for load balancers: no token, and no word of
what is inside.  What is wrong in sentences is told on the port of [metrics], to operators.
"""

import logging
import typing

import orjson

from nova_cells.domain import errors
from nova_cells.metrics import health

LOG = logging.getLogger(__name__)
ALIVE = "/healthz"
PATHS = frozenset({ALIVE, "/readyz"})


class Application:
    """Alive: this process answers, and none of its threads died or hangs.  Ready: its database
    answers too."""

    def __init__(self, services: typing.Any) -> None:
        self._view = services.view

    def __call__(self, environ: dict, start_response: typing.Callable) -> list[bytes]:
        if environ.get("PATH_INFO") == ALIVE:
            return alive(environ, start_response)
        return _answer(environ, start_response, "ready", self._database())

    def _database(self) -> list[str]:
        try:
            self._view.ping()
        except errors.Problem as problem:
            LOG.warning("not ready: %s", problem)
            return ["The database does not answer."]
        return []


def alive(environ: dict, start_response: typing.Callable) -> list[bytes]:
    """``/healthz``, also of a process that has no database yet."""
    return _answer(environ, start_response, "alive", health.ailments())


def _answer(environ: dict, start_response: typing.Callable, what: str,
            wrong: list[str]) -> list[bytes]:
    body = orjson.dumps({what: not wrong, "wrong": wrong})
    start_response("503 Service Unavailable" if wrong else "200 OK", [
        ("Content-Type", "application/json"), ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store")])
    return [body] if environ.get("REQUEST_METHOD") != "HEAD" else []

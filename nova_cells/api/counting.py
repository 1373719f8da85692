# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The outermost layer: every request is counted and timed, and what changes something is one line
in the log.

Counted by the path as the table has it, never as it was typed.  Lets go of the request's context
when it is answered, so that a thread's next lines do not bear an old request's id.
"""

import logging
import time
import typing
import urllib.parse

from nova_cells import context
from nova_cells.metrics import instruments

LOG = logging.getLogger(__name__)
ROUTE = "nova_cells.route"       # the path as the table has it; set by who found it
NOWHERE = "unknown"              # no such path, or nobody looked: no token
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
_CLASSES = {"1": "1xx", "2": "2xx", "3": "3xx", "4": "4xx", "5": "5xx"}
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class Counted:
    """Counts what the layers below answer.  Assumes that they never raise."""

    def __init__(self, application: typing.Callable) -> None:
        self._application = application

    def __call__(self, environ: dict, start_response: typing.Callable) -> typing.Any:
        began, said = time.perf_counter(), ["500"]

        def start(status: str, headers: list, *more: typing.Any) -> typing.Any:
            said[0] = status
            return start_response(status, headers, *more)
        try:
            return self._application(environ, start)
        finally:
            _count(environ, said[0], time.perf_counter() - began)
            context.end()


def _count(environ: dict, status: str, seconds: float) -> None:
    method = environ.get("REQUEST_METHOD", "")
    known = method if method in _METHODS else "other"
    route = environ.get(ROUTE, NOWHERE)
    instruments.API_REQUESTS.inc(route, known, _CLASSES.get(status[:1], "other"))
    instruments.API_SECONDS.observe(seconds, route, known)
    level = logging.DEBUG if method in _READS else logging.INFO
    if LOG.isEnabledFor(level):
        LOG.log(level, "%s %s %s in %.3f s", known,
                urllib.parse.quote(environ.get("PATH_INFO", "")[:300], encoding="latin-1"),
                status[:3], seconds)

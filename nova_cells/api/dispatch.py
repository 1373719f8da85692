# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The application: one request through the steps, visible in one place.

    version → path → body → action → shapes → policy → handler → reply

Each step may raise a problem; ``faults`` says what the user reads.  May assume that a layer
before it has said who asks.  Never answers 500 for input, and never shows a traceback.
"""

import http.client
import logging
import typing
import urllib.parse

import orjson
import webob

from nova_cells.api import body as bodies
from nova_cells.api import catalogue, counting, faults, found, identity, microversion
from nova_cells.api import request as requests
from nova_cells.db import again, engine
from nova_cells.domain import errors

LOG = logging.getLogger(__name__)
_JSON = ("Content-Type", "application/json")
_WITH_BODY = ("POST", "PUT", "PATCH")
_PROJECT = "Malformed request URL: URL's project_id '{}' doesn't match Context's project_id '{}'"


class Application:
    """The Compute API as a WSGI application, behind the layers that say who asks."""

    def __init__(self, services: requests.Services,
                 actions: typing.Iterable[catalogue.Action]) -> None:
        self.services = services
        self.catalogue = catalogue.Catalogue(actions)
        self._limit = bodies.limit(services.conf)

    def __call__(self, environ: dict, start_response: typing.Callable) -> list[bytes]:
        version: int | None = None
        try:
            segments, legacy = self._segments(environ)
            version = microversion.MIN if legacy else microversion.asked(environ)
            reply = self._answer(environ, segments, version, legacy)
        except errors.Problem as problem:
            reply = self._fault(environ, problem)
        except engine.UNAVAILABLE as error:
            LOG.error("database does not answer: %s", str(error).splitlines()[0])
            reply = self._fault(environ, errors.CellDown(
                "The database does not answer; try again."))
        except Exception:
            LOG.exception("request=%s %s %s", environ.get("openstack.request_id"),
                          environ.get("REQUEST_METHOD"), environ.get("PATH_INFO"))
            reply = requests.Reply(faults.body(500, faults.UNEXPECTED), 500)
        return self._send(reply, version, start_response)

    # -- the steps ------------------------------------------------------------------------------

    @staticmethod
    def _segments(environ: dict) -> tuple[list[str], bool]:
        """The path after its version, split; and whether it is the old version's."""
        try:
            path = environ.get("PATH_INFO", "").encode("latin-1").decode()
        except UnicodeError:
            raise errors.Invalid("The path is not UTF-8.") from None
        if "\0" in path:
            raise errors.Invalid("The path holds a NUL character.")
        parts = path.split("/")
        return parts[2:], parts[1] == "v2"

    def _answer(self, environ: dict, segments: list[str], version: int,
                legacy: bool) -> requests.Reply:
        request = requests.Request(webob.Request(environ), self.services, version,
                                   environ[identity.CONTEXT])
        request.url_project = self._project(request, segments)
        place = self.catalogue.find(segments)
        if place is None:
            raise errors.NotFound("The resource could not be found.")
        entry, request.args = place
        environ[counting.ROUTE] = entry.template
        method = environ["REQUEST_METHOD"]
        offered = entry.offered(method)
        if method in _WITH_BODY:
            request.body = bodies.read(environ, self._limit)
        action = request.action = catalogue.pick(offered, version, request.body)
        self._check(request, action, legacy)
        if action.policy:
            request.authorize(action.policy)
        answer = again.answer(action.handler, request)
        if action.reply:
            answer = action.reply(request, answer)
        reply = self._reply(action, answer)
        return found.aged(request, reply) if action.down == "stale" else reply

    def _project(self, request: requests.Request, segments: list[str]) -> str | None:
        """Takes the project from the front of the path, if it stands there."""
        if len(segments) < 2 or segments[0] in self.catalogue.roots:
            return None
        project = segments.pop(0)
        if project != request.context.project_id:
            raise errors.Invalid(_PROJECT.format(project[:64], request.context.project_id))
        return project

    @staticmethod
    def _check(request: requests.Request, action: catalogue.Action, legacy: bool) -> None:
        if action.body is not None:
            action.body.check(request.body, request.version, relaxed=legacy)
        text = request.http.environ.get("QUERY_STRING", "")
        if action.query is None or not text:
            return
        try:
            pairs = urllib.parse.parse_qsl(text, keep_blank_values=True, errors="strict",
                                           max_num_fields=1000)
        except ValueError:
            raise errors.Invalid("The query is not UTF-8, or too long.") from None
        given: dict[str, list[str]] = {}
        for name, value in pairs:
            if "\0" in name or "\0" in value:
                raise errors.Invalid("The query holds a NUL character.")
            given.setdefault(name, []).append(value)
        request.query = action.query.accept(given, request.version)

    # -- replies --------------------------------------------------------------------------------

    @staticmethod
    def _reply(action: catalogue.Action, answer: typing.Any) -> requests.Reply:
        if not isinstance(answer, requests.Reply):
            return requests.Reply(answer, action.success)
        return answer if answer.status is not None else answer._replace(status=action.success)

    @staticmethod
    def _fault(environ: dict, problem: errors.Problem) -> requests.Reply:
        status = faults.status_of(problem)
        message = problem.message
        if status == 500:
            LOG.error("request=%s %s: %s", environ.get("openstack.request_id"),
                      type(problem).__name__, message)
            message = faults.UNEXPECTED
        headers = faults.headers(status)
        if "allow" in problem.facts:
            headers.append(("Allow", ", ".join(typing.cast(list, problem.facts["allow"]))))
        return requests.Reply(faults.body(status, message), status, tuple(headers))

    @staticmethod
    def _send(reply: requests.Reply, version: int | None,
              start_response: typing.Callable) -> list[bytes]:
        data = reply.body
        if isinstance(data, dict):
            data = orjson.dumps(data)
        headers = [] if version is None else microversion.headers(version)
        headers.extend(reply.headers)
        status = typing.cast(int, reply.status)
        if data is not None and status not in (204, 304):
            headers.append(_JSON)
        elif status not in (204, 304):
            data = b""
        if status not in (204, 304):
            headers.append(("Content-Length", str(len(data))))
        start_response(f"{status} {http.client.responses.get(status, 'Unknown')}", headers)
        return [data] if data else []

# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The layers that ``api-paste.ini`` stacks, as paste factories.

Paste hands factories nothing but text, so ``app.loadapp`` lends them the services while it
loads.  Every layer is given this process's private configuration.
"""

import contextlib
import contextvars
import importlib.util
import logging
import re
import typing

from oslo_context import context as oslo_context
from oslo_middleware import cors as oslo_cors
from oslo_middleware import healthcheck as oslo_healthcheck
from oslo_middleware import http_proxy_to_wsgi
from oslo_middleware import request_id as oslo_request_id

from nova_cells.api import counting, faults, identity, once, probes, tokens
from nova_cells.api import versions as version_documents
from nova_cells.domain import errors

LOG = logging.getLogger(__name__)
Wsgi = typing.Callable[..., typing.Any]
Filter = typing.Callable[[Wsgi], Wsgi]
_REQUEST_ID = re.compile(oslo_request_id.ID_FORMAT)

_LOADING: contextvars.ContextVar[tuple[typing.Any, Wsgi]] = contextvars.ContextVar("loading")
HEADERS = ("X-Auth-Token", "X-Openstack-Request-Id", "X-OpenStack-Nova-API-Version",
           "OpenStack-API-Version")


@contextlib.contextmanager
def loading(services: typing.Any, application: Wsgi) -> typing.Iterator[None]:
    """While paste loads, the factories below find these."""
    token = _LOADING.set((services, application))
    try:
        yield
    finally:
        _LOADING.reset(token)


def _services() -> typing.Any:
    return _LOADING.get()[0]


def by_path(loader: typing.Any, _global: dict, **parts: str) -> Wsgi:
    """The versions' documents and the health need no token; all else does."""
    health, versions, compute = (loader.get_app(parts[name])
                                 for name in ("healthcheck", "versions", "compute"))

    probe = probes.Application(_services())

    def choose(environ: dict, start_response: typing.Callable) -> typing.Any:
        path = environ.get("PATH_INFO", "")
        if path.startswith(("/v2.1/", "/v2/")) and path not in ("/v2.1/", "/v2/"):
            return compute(environ, start_response)
        if path in probes.PATHS:
            return probe(environ, start_response)
        return (health if path == "/healthcheck" else versions)(environ, start_response)
    return choose


def by_strategy(loader: typing.Any, _global: dict, **pipelines: str) -> Wsgi:
    """The pipeline that [api] auth_strategy names."""
    strategy = _services().conf.api.auth_strategy
    if strategy not in pipelines:
        raise errors.Invalid(f"api-paste.ini has no pipeline {strategy} ([api] auth_strategy)")
    *filters, application = pipelines[strategy].split()
    stacked = loader.get_app(application)
    for name in reversed(filters):
        stacked = loader.get_filter(name)(stacked)
    return counting.Counted(stacked)


def osapi(_global: dict, **_local: str) -> Wsgi:
    """The application itself."""
    return _LOADING.get()[1]


def versions(_global: dict, **_local: str) -> Wsgi:
    """Which versions there are."""
    return version_documents.Application(_services())


def healthcheck(_global: dict, **_local: str) -> Wsgi:
    """For load balancers; [healthcheck] says what is looked at."""
    return oslo_healthcheck.Healthcheck(None, _services().conf)


def faultwrap(_global: dict, **_local: str) -> Filter:
    """Nobody ever sees a traceback, whichever layer breaks."""
    return FaultWrap


def request_id(_global: dict, **_local: str) -> Filter:
    """Every request has an id, and its reply says it."""
    conf = _services().conf
    return lambda application: RequestId(application, conf)


def proxy(_global: dict, **_local: str) -> Filter:
    """[oslo_middleware] enable_proxy_headers_parsing."""
    conf = _services().conf
    conf.register_opts(http_proxy_to_wsgi.OPTS, group="oslo_middleware")

    def layer(application: Wsgi) -> Wsgi:
        if not conf.oslo_middleware.enable_proxy_headers_parsing:
            return application
        return http_proxy_to_wsgi.HTTPProxyToWSGI(application, conf)
    return layer


def cors(_global: dict, **_local: str) -> Filter:
    """[cors] allowed_origin; without one there is nothing to do."""
    conf = _services().conf
    oslo_cors.set_defaults(allow_headers=[*HEADERS, once.HEADER], expose_headers=[
        "X-OpenStack-Request-ID", *HEADERS[2:]],
        allow_methods=["GET", "PUT", "POST", "DELETE"])
    conf.register_opts(oslo_cors.CORS_OPTS, group="cors")

    def layer(application: Wsgi) -> Wsgi:
        if not conf.cors.allowed_origin:
            return application
        return oslo_cors.CORS(application, conf)
    return layer


def authtoken(_global: dict, **local: str) -> Filter:
    """keystonemiddleware, reading our own configuration; what it said last is remembered."""
    services = _services()

    def layer(application: Wsgi) -> Wsgi:
        made = tokens.layer(application, services.conf, local, services.clock)
        _can_reach_memcached(services.conf)
        return made
    return layer


def _can_reach_memcached(conf: typing.Any) -> None:
    """keystonemiddleware would look for the library with the first token, and answer 500."""
    if conf.keystone_authtoken.memcached_servers and importlib.util.find_spec("memcache") is None:
        raise errors.Invalid("[keystone_authtoken] memcached_servers is set and python-memcached "
                             "is not installed: install it, or take the option out")


def context(_global: dict, **_local: str) -> Filter:
    """Who asks, from what auth_token has verified."""
    services = _services()
    return lambda application: identity.Keystone(application, services.policy)


def noauth2(_global: dict, **_local: str) -> Filter:
    """Who asks, as they say: for development, on loopback only."""
    services = _services()
    identity.refuse_unless_loopback(services.conf)
    return lambda application: identity.NoAuth(application, services.policy)


class FaultWrap:
    """Answers what the layers below did not expect, and nobody who asked for the head alone
    with more."""

    def __init__(self, application: Wsgi) -> None:
        self._application = application

    def __call__(self, environ: dict, start_response: typing.Callable) -> typing.Any:
        try:
            answer = self._application(environ, start_response)
            return answer if environ.get("REQUEST_METHOD") != "HEAD" else []
        except Exception:
            LOG.exception("request=%s %s %s", environ.get("openstack.request_id"),
                          environ.get("REQUEST_METHOD"), environ.get("PATH_INFO"))
        body = faults.body(500, faults.UNEXPECTED)
        start_response("500 Internal Server Error", [
            ("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]


class RequestId(oslo_request_id.RequestId):
    """oslo.middleware's, without a WebOb request and response for each; also under the name
    that older clients look for."""

    compat_headers = ["x-compute-request-id"]
    names = (oslo_request_id.HTTP_RESP_HEADER_REQUEST_ID, *compat_headers)

    def __call__(self, environ: dict, start_response: typing.Callable) -> typing.Any:
        own = environ[oslo_request_id.ENV_REQUEST_ID] = oslo_context.generate_request_id()
        given = environ.get("HTTP_X_OPENSTACK_REQUEST_ID", "")
        if _REQUEST_ID.match(given):
            environ[oslo_request_id.GLOBAL_REQ_ID] = given

        def start(status: str, headers: list, *more: typing.Any) -> typing.Any:
            there = {name.lower() for name, _ in headers}
            added = [(name, own) for name in self.names if name not in there]
            return start_response(status, [*headers, *added], *more)
        return self.application(environ, start)

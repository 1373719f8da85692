# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Who asks: from what auth_token verified, or (noauth2, development) from what the token says.

Identity headers that a client sent are never believed: auth_token removes and sets them, and
noauth2 removes them and reads the token alone.
"""

import ipaddress
import typing

import orjson
from oslo_config import cfg
from oslo_context import context as oslo_context

from nova_cells import context as contexts
from nova_cells.api import faults
from nova_cells.api import policy as policies
from nova_cells.domain import errors

CONTEXT = "nova_cells.context"
#: How every header begins that auth_token may set.
TRUSTED_PREFIXES = (
    "HTTP_X_USER", "HTTP_X_PROJECT", "HTTP_X_TENANT", "HTTP_X_DOMAIN", "HTTP_X_ROLE",
    "HTTP_X_SERVICE_", "HTTP_X_IDENTITY_STATUS", "HTTP_X_IS_ADMIN_PROJECT", "HTTP_X_TOKEN_INFO",
    "HTTP_OPENSTACK_SYSTEM_SCOPE")
_ROLES = {True: ["admin", "manager", "member", "reader"], False: ["member", "reader"]}


def _unauthorized(start_response: typing.Callable, message: str) -> list[bytes]:
    body = faults.body(401, message)
    start_response("401 Unauthorized", [("Content-Type", "application/json"),
                                        ("Content-Length", str(len(body)))])
    return [body]


def _attach(environ: dict, who: oslo_context.RequestContext, policy: policies.Policy) -> None:
    who.is_admin = False
    who.is_admin = policy.allows(who, "context_is_admin")
    environ[CONTEXT] = who


class Keystone:
    """Behind auth_token: its headers are the truth."""

    def __init__(self, application: typing.Callable, policy: policies.Policy) -> None:
        self._application, self._policy = application, policy

    def __call__(self, environ: dict, start_response: typing.Callable) -> typing.Any:
        if environ.get("HTTP_X_IDENTITY_STATUS") != "Confirmed":
            return _unauthorized(start_response, "The request you have made requires "
                                                 "authentication.")
        who = contexts.Asker.from_environ(
            environ, request_id=environ.get("openstack.request_id"),
            global_request_id=environ.get("openstack.global_request_id"))
        if not who.user_id or not who.project_id:
            return _unauthorized(start_response, "A token for a project is needed.")
        _attach(environ, who, self._policy)
        return self._application(environ, start_response)


class NoAuth:
    """Believes a token "user:project"; the user "admin" is an admin."""

    def __init__(self, application: typing.Callable, policy: policies.Policy) -> None:
        self._application, self._policy = application, policy

    def __call__(self, environ: dict, start_response: typing.Callable) -> typing.Any:
        for key in [key for key in environ if key.startswith(TRUSTED_PREFIXES)]:
            del environ[key]
        token = environ.get("HTTP_X_AUTH_TOKEN", "")
        user, _, project = token.partition(":")
        if not user or not token.isprintable() or len(token) > 255:
            return _unauthorized(start_response, "Send X-Auth-Token: user:project.")
        who = contexts.Asker(
            user_id=user, project_id=project or user, roles=list(_ROLES[user == "admin"]),
            auth_token=token, request_id=environ.get("openstack.request_id"),
            global_request_id=environ.get("openstack.global_request_id"))
        _attach(environ, who, self._policy)
        return self._application(environ, start_response)


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_unless_loopback(conf: cfg.ConfigOpts) -> None:
    """Raise unless the service listens on loopback only."""
    try:
        host = str(conf.standalone.bind_host)
    except cfg.NoSuchOptError:
        host = ""
    if not _loopback(host):
        raise errors.Refused("[api] auth_strategy = noauth2 believes whatever a client says; it "
                             "is served only if [standalone] bind_host is a loopback address"
                             + (f", not {host}" if host else ""))


def describe(who: oslo_context.RequestContext) -> bytes:
    """What decides what a reader sees, for an ETag."""
    return orjson.dumps([who.user_id, who.project_id, sorted(who.roles), bool(who.is_admin)])

# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What auth_token said about a token, remembered in this process for a few seconds.

keystonemiddleware stays the only judge: nothing is remembered but what it has just confirmed,
for a shorter time than it would remember it itself, and never past the token's end.  Whatever
makes its verdict depend on more than the token goes to it each time: a service token, a token
bound to a login, access rules.  Knows tokens by their SHA-256 only.  Identity headers that a
client sent reach neither auth_token nor what is remembered.
"""

import collections
import hashlib
import threading
import typing

from keystonemiddleware import auth_token
from oslo_config import cfg
from oslo_utils import timeutils

from nova_cells import clock as clocks
from nova_cells.api import identity

Wsgi = typing.Callable[..., typing.Any]
TOKEN, SERVICE_TOKEN = "HTTP_X_AUTH_TOKEN", "HTTP_X_SERVICE_TOKEN"     # nosec
TOKEN_INFO = "keystone.token_info"                                     # nosec
_ASKED = "nova_cells.asked"              # what a request was when auth_token was asked
_GROUP = "keystone_authtoken"


class Known(typing.NamedTuple):
    """What is remembered of a token."""

    headers: dict[str, typing.Any]       # as auth_token set them
    until: float                         # by the clock that never goes back
    expires: float                       # by the clock that people read


def layer(application: Wsgi, conf: cfg.ConfigOpts, local: dict[str, typing.Any],
          clock: clocks.Clock) -> Wsgi:
    """auth_token before an application, with a memory of our own if the operator lets us.

    ``local``: settings of the paste file.  Both memories together keep a token no longer than
    [keystone_authtoken] token_cache_time says: ours is taken off auth_token's.
    """
    for group, opts in auth_token.list_opts():
        conf.register_opts(opts, group=group)
    settings = {**local, "oslo_config_config": conf}
    allowed = int(local.get("token_cache_time", conf[_GROUP].token_cache_time))
    seconds = min(conf.api.token_cache_time, allowed // 2)
    if seconds <= 0:
        return auth_token.AuthProtocol(application, settings)
    settings["token_cache_time"] = allowed - seconds
    return Remembering(application, lambda inner: auth_token.AuthProtocol(inner, settings),
                       seconds, conf.api.token_cache_entries, clock)


class Remembering:
    """Asks ``check`` about tokens that it does not know."""

    def __init__(self, application: Wsgi, check: typing.Callable[[Wsgi], Wsgi], seconds: float,
                 entries: int, clock: clocks.Clock) -> None:
        self._application = application
        self._check = check(self._confirmed)
        self._seconds, self._most, self._clock = seconds, entries, clock
        self._lock = threading.Lock()
        self._known: collections.OrderedDict[bytes, Known] = collections.OrderedDict()

    def __call__(self, environ: dict, start_response: typing.Callable) -> typing.Any:
        for name in [name for name in environ if name.startswith(identity.TRUSTED_PREFIXES)]:
            if name != SERVICE_TOKEN:
                del environ[name]
        token = environ.get(TOKEN)
        if not token or SERVICE_TOKEN in environ:
            return self._check(environ, start_response)
        headers = self._find(_digest(token))
        if headers is None:
            environ[_ASKED] = (self._clock.monotonic(), dict(environ))
            return self._check(environ, start_response)
        environ.update(headers)
        return self._application(environ, start_response)

    def _find(self, key: bytes) -> dict[str, typing.Any] | None:
        with self._lock:
            known = self._known.get(key)
            if known is None:
                return None
            if self._clock.monotonic() >= known.until or self._clock.time() >= known.expires:
                del self._known[key]
                return None
            self._known.move_to_end(key)
            return known.headers

    def _confirmed(self, environ: dict, start_response: typing.Callable) -> typing.Any:
        """Where auth_token goes on to."""
        asked = environ.pop(_ASKED, None)
        if asked is not None:
            since, before = asked
            expires = _end(environ)
            headers = _told(before, environ)
            if expires is not None and headers is not None:
                self._keep(_digest(environ[TOKEN]),
                           Known(headers, since + self._seconds, expires))
        return self._application(environ, start_response)

    def _keep(self, key: bytes, known: Known) -> None:
        with self._lock:
            self._known[key] = known
            self._known.move_to_end(key)
            while len(self._known) > self._most:
                self._known.popitem(last=False)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _end(environ: dict) -> float | None:
    """When the token ends, if what was said holds for every request with it until then."""
    if environ.get("HTTP_X_IDENTITY_STATUS") != "Confirmed":
        return None
    if not environ.get("HTTP_X_USER_ID") or not environ.get("HTTP_X_PROJECT_ID"):
        return None
    body = (environ.get(TOKEN_INFO) or {}).get("token") or {}
    credential = body.get("application_credential") or {}
    if body.get("bind") or credential.get("access_rules") is not None:
        return None
    try:
        return timeutils.parse_isotime(body["expires_at"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return None


def _told(before: dict, after: dict) -> dict[str, typing.Any] | None:
    """The headers that auth_token set; None if it touched one that we do not take for an
    identity header and so would let a client forge."""
    for name in before.keys() | after.keys():
        if name.startswith("HTTP_") and not name.startswith(identity.TRUSTED_PREFIXES) and (
                before.get(name) != after.get(name) or (name in before) != (name in after)):
            return None
    return {name: value for name, value in after.items()
            if name.startswith(identity.TRUSTED_PREFIXES)}

# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""One request as a handler sees it, and what it may answer.

A handler is ``handler(request) -> answer``.  An answer is a dict (sent as JSON), bytes (JSON
already), None (no body), or a ``Reply`` for another status or headers.  A handler raises
``domain.errors`` for everything else; it never touches the WSGI environment.
"""

import typing
import urllib.parse

import webob
from oslo_context import context as oslo_context

from nova_cells.api import policy as policies
from nova_cells.domain import commands, rendering

if typing.TYPE_CHECKING:
    from nova_cells.api import catalogue


def _quoted(address: str) -> str:
    """What no address can hold, quoted; the rest as it is."""
    return urllib.parse.quote(address, safe="!#$%&'()*+,/:;=?@[]~")


class Reply(typing.NamedTuple):
    """An answer that is more than a body."""

    body: dict[str, typing.Any] | bytes | None = None
    status: int | None = None            # None: the action's own
    headers: tuple[tuple[str, str], ...] = ()


class Services(typing.NamedTuple):
    """What the handlers work with, handed in by ``app.loadapp``."""

    conf: typing.Any                     # a private ConfigOpts
    view: typing.Any                     # db.view.View
    client: typing.Any                   # rpc.client: call(to, message), cast(to, message)
    images: typing.Any                   # image.protocol.ImageRoom
    volumes: typing.Any                  # volume.protocol.VolumeRoom
    clock: typing.Any                    # clock.Clock
    ids: typing.Any                      # clock.Ids
    orders: typing.Any                   # api.orders.Orders
    policy: policies.Policy
    silent: typing.Any                   # db.view.liveness.Silent
    pulse: typing.Any                    # api.pulse.Pulse
    network: typing.Any = None           # network.protocol.NetworkRoom; None: as network.none

    def now(self) -> float:
        """The time that people read."""
        return self.clock.time()


class Request:
    """A request that was understood: its action, its version, who asks, what they say."""

    __slots__ = ("action", "args", "body", "cells", "context", "http", "query", "services", "sight",
                 "url_project", "version", "_place")

    def __init__(self, http: webob.Request, services: Services, version: int,
                 context: oslo_context.RequestContext) -> None:
        self.http = http
        self.services = services
        self.version = version                       # minor number: 19 is 2.19
        self.context = context                       # user_id, project_id, roles, is_admin, ...
        self.action: catalogue.Action | None = None
        self.url_project: str | None = None          # if the path names it
        self.args: dict[str, str] = {}               # from the path
        self.query: dict[str, list[str]] = {}        # accepted by the action's query shape
        self.sight: rendering.Sight | None = None    # kept by found.sight
        self._place: rendering.Place | None = None
        self.cells: set[str] = set()                 # whose last word the answer shows
        self.body: typing.Any = None                 # checked by the action's body shape

    def param(self, name: str, default: str | None = None) -> str | None:
        """The last value of a query parameter."""
        values = self.query.get(name)
        return values[-1] if values else default

    @property
    def admin(self) -> bool:
        """Whether policy calls the asker an admin."""
        return bool(self.context.is_admin)

    @property
    def origin(self) -> commands.Origin:
        """Who asks, as it travels with a command."""
        who = self.context
        return commands.Origin(request_id=who.request_id or "", user_id=who.user_id or "",
                               project_id=who.project_id or "", admin=self.admin)

    @property
    def base(self) -> str:
        """The address that links begin with, before the version, without a slash at its end."""
        prefix = self.services.conf.api.compute_link_prefix
        # a client may call this host by any name: what links and headers hold is an address still
        return _quoted((prefix or self.http.application_url).rstrip("/"))

    @property
    def place(self) -> rendering.Place:
        """Where links lead; the project stands in them if the request's path names it."""
        if self._place is not None:
            return self._place
        base = self.base
        behind = f"/{_quoted(self.url_project)}" if self.url_project else ""
        version = self.http.environ.get("PATH_INFO", "/v2.1").split("/", 2)[1]
        self._place = rendering.Place(f"{base}/{version}{behind}", f"{base}{behind}")
        return self._place

    def allows(self, rule: str, target: dict[str, typing.Any] | None = None) -> bool:
        """Whether policy lets the asker do this; target defaults to the asker's own project."""
        return self.services.policy.allows(self.context, rule, target)

    def authorize(self, rule: str, target: dict[str, typing.Any] | None = None) -> None:
        """Raise ``Refused`` unless policy allows this."""
        self.services.policy.authorize(self.context, rule, target)

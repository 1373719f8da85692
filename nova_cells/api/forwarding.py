# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Old routes that the services for networks and volumes own: asked there with the user's own token.

The endpoint is the operator's override, or what the user's catalogue says; a client cannot name
one.  May assume the layer that checked the token: it alone sets the catalogue.  Never asks as
anybody but the user, and keeps nothing.
"""

import functools
import json
import typing
import urllib.parse

import requests
from keystoneauth1 import exceptions as ks
from keystoneauth1 import session as ks_session
from keystoneauth1 import token_endpoint
from keystoneauth1.access import service_catalog

from nova_cells.api import policy
from nova_cells.api.catalogue import Action
from nova_cells.api.shapes import Query, Shape
from nova_cells.domain import errors

LAST = "2.35"                            # the last version that has these routes
CATALOGUE = "HTTP_X_SERVICE_CATALOG"
PATIENCE = 60.0                          # seconds; [neutron] or [cinder] timeout
Json = dict[str, typing.Any]


class Service(typing.NamedTuple):
    """Another service: its types in catalogues, its group of options, what it is for."""

    types: tuple[str, ...]
    group: str
    word: str
    version: str = ""                    # that its catalogue entry may leave out


NETWORK = Service(("network",), "neutron", "network", "/v2.0")
VOLUME = Service(("block-storage", "volumev3", "volume"), "cinder", "volume")
BAREMETAL = Service(("baremetal",), "ironic", "bare metal", "/v1")


class Document(dict):
    """What the service sent; what must be in it, and is not, is the service's fault."""

    def __missing__(self, key: str) -> typing.NoReturn:
        raise errors.CellDown("The service that owns this answered what cannot be understood; "
                              "try again later")


class Answer(typing.NamedTuple):
    """What the service said."""

    status: int
    document: Json

    @property
    def sentence(self) -> str:
        """Why not."""
        for inner in (*self.document.values(), self.document):
            if isinstance(inner, dict):
                text = inner.get("message") or inner.get("faultstring")
                if isinstance(text, str):
                    return text
        return "The request was refused by the service that was asked."


def part(text: str) -> str:
    """Something of the user's inside a path.  Dots alone would lead out of it."""
    if not text.strip("."):
        raise errors.NotFound("The resource could not be found.")
    return urllib.parse.quote(text, safe="")


def ask(request: typing.Any, service: Service, method: str, path: str, body: Json | None = None,
        missing: str | None = None, **query: typing.Any) -> Json:
    """The document that the service answers.  Raises what its status means; ``missing`` says what
    was not found."""
    answer = tell(request, service, method, path, body, **query)
    if answer.status < 400:
        return answer.document
    if answer.status == 404:
        raise errors.NotFound(missing or answer.sentence)
    raise problem(answer)


def problem(answer: Answer) -> errors.Problem:
    """What a refusal means."""
    if answer.status in (401, 403):
        return errors.Refused(answer.sentence)
    if answer.status in (409, 413):
        return errors.Conflict(answer.sentence)
    if answer.status == 404:
        return errors.NotFound(answer.sentence)
    if answer.status < 500:
        return errors.Invalid(answer.sentence)
    return errors.CellDown("The service that owns this does not answer just now; try again later")


def tell(request: typing.Any, service: Service, method: str, path: str,
         body: Json | None = None, **query: typing.Any) -> Answer:
    """The service's answer, whatever its status."""
    base = endpoint(request, service)
    auth = token_endpoint.Token(base, request.context.auth_token)
    headers = {"Accept": "application/json"}
    if request.context.request_id:
        headers["X-OpenStack-Request-ID"] = request.context.request_id
    try:
        reply = _session(_verify(request)).request(
            base + path, method, json=body, params=query or None, auth=auth, headers=headers,
            raise_exc=False, redirect=0, timeout=_option(request, service, "timeout", PATIENCE),
            log=False)
        return Answer(reply.status_code, _document(reply))
    except (ks.ClientException, requests.RequestException):
        raise errors.CellDown(f"The {service.word} service does not answer just now; try again "
                              f"later") from None


def endpoint(request: typing.Any, service: Service) -> str:
    """Where the service is, without a slash at the end.  ``Unsupported``: nowhere."""
    found = _option(request, service, "endpoint_override", None) or _listed(request, service)
    if not found:
        raise errors.Unsupported(f"There is no {service.word} service in this deployment.")
    base = str(found).rstrip("/")
    last = urllib.parse.urlparse(base).path.rpartition("/")[2]
    return base if not service.version or last[:1] == "v" else base + service.version


def _listed(request: typing.Any, service: Service) -> str | None:
    text = request.http.environ.get(CATALOGUE)
    if not text:
        return None
    try:
        catalogue = service_catalog.ServiceCatalogV2(json.loads(text))
    except ValueError:
        return None
    region = (_option(request, service, "region_name", None)
              or _option(request, service, "os_region_name", None))
    for kind in service.types:
        for interface in _option(request, service, "valid_interfaces", ["internal", "public"]):
            found = catalogue.get_urls(service_type=kind, interface=interface,
                                       region_name=region)
            if found:
                return found[0]
    return None


def _option(request: typing.Any, service: Service, name: str, default: typing.Any) -> typing.Any:
    """An option of the service's group, if this process has it."""
    group = getattr(request.services.conf, service.group, None)
    return getattr(group, name, None) or default


def _verify(request: typing.Any) -> bool | str:
    group = getattr(request.services.conf, "service_user", None)
    return not getattr(group, "insecure", False) and (getattr(group, "cafile", None) or True)


@functools.lru_cache(maxsize=4)
def _session(verify: bool | str) -> ks_session.Session:
    return ks_session.Session(verify=verify)


def _document(reply: requests.Response) -> Json:
    try:
        found = reply.json() if reply.content else {}
    except ValueError:
        found = {}
    return Document(found) if isinstance(found, dict) else Document()


# -- rows of the catalogue ------------------------------------------------------------------------

def row(key: str, method: str, path: str, rule: str | None, handler: typing.Any,
        success: int = 200, body: Shape | None = None, query: Query | None = None,
        until: str = LAST) -> Action:
    """An old route."""
    return Action(key, method, path, "serve", policy=rule, handler=handler, success=success,
                  body=body, query=query, until=until)


def rule(name: str, write: bool, what: str, *operations: str) -> typing.Any:
    """The policy of an old route."""
    return policy.rule(name, policy.MEMBER_OR_ADMIN if write else policy.READER_OR_ADMIN,
                       f"{what} (up to {LAST}).", *operations)


def page(request: typing.Any, things: list[typing.Any]) -> list[typing.Any]:
    """What ``offset`` and ``limit`` leave of a list."""
    start = int(request.param("offset") or 0)
    most = request.services.conf.api.max_limit
    limit = min(int(request.param("limit") or most), most)
    return things[start:start + limit]

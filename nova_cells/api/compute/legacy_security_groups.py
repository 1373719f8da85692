# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Security groups and rules of the network service, as the Compute API showed them.

Only rules for what comes in are shown.  Source: the public api-ref, "Security groups" and
"Rules for security group" (deprecated).
"""

import ipaddress
import typing
import urllib.parse

from nova_cells.api import acting, formats, forwarding, shapes
from nova_cells.api.forwarding import NETWORK, ask, page, part, row, rule
from nova_cells.api.shapes import Query, Shape, optional
from nova_cells.domain import errors

PREFIX = acting.API + "os-security-groups"
GROUPS, RULE = "/os-security-groups", "/os-security-group-rules"
EVERYBODY = "0.0.0.0/0"

RULES = (
    rule(f"{PREFIX}:get", False, "List security groups", "GET /os-security-groups"),
    rule(f"{PREFIX}:show", False, "Show a security group",
         "GET /os-security-groups/{security_group_id}"),
    rule(f"{PREFIX}:create", True, "Create a security group", "POST /os-security-groups"),
    rule(f"{PREFIX}:update", True, "Update a security group",
         "PUT /os-security-groups/{security_group_id}"),
    rule(f"{PREFIX}:delete", True, "Delete a security group",
         "DELETE /os-security-groups/{security_group_id}"),
    rule(f"{PREFIX}:rule:create", True, "Create a rule of a security group",
         "POST /os-security-group-rules"),
    rule(f"{PREFIX}:rule:delete", True, "Delete a rule of a security group",
         "DELETE /os-security-group-rules/{security_group_rule_id}"),
)


# -- what is shown --------------------------------------------------------------------------------

def _ports(given: dict) -> tuple[int | None, int | None]:
    low, high, protocol = (given.get("port_range_min"), given.get("port_range_max"),
                           given.get("protocol"))
    if protocol and low is None and high is None:
        return (1, 65535) if str(protocol).upper() in ("TCP", "UDP") else (-1, -1)
    return low, high


class Names:
    """Names of the groups that rules speak of, each asked once."""

    def __init__(self, request: typing.Any, groups: typing.Iterable[dict]) -> None:
        self._request = request
        self._known = {group["id"]: group for group in groups}

    def of(self, uuid: str) -> dict | None:
        """Name and project; None: it is gone."""
        if uuid not in self._known:
            answer = forwarding.tell(self._request, NETWORK, "GET",
                                     f"/security-groups/{part(uuid)}")
            self._known[uuid] = answer.document.get("security_group")
        group = self._known[uuid]
        return group and {"name": group.get("name"), "tenant_id": group.get("tenant_id")}


def _rule(given: dict, names: Names) -> dict | None:
    low, high = _ports(given)
    shown = {"id": given["id"], "parent_group_id": given["security_group_id"],
             "ip_protocol": given.get("protocol"), "from_port": low, "to_port": high,
             "group": {}, "ip_range": {}}
    if given.get("remote_group_id"):
        group = names.of(given["remote_group_id"])
        if group is None:
            return None
        return {**shown, "group": group}
    return {**shown, "ip_range": {"cidr": given.get("remote_ip_prefix") or EVERYBODY}}


def _group(given: dict, names: Names) -> dict:
    rules = (_rule(one, names) for one in given.get("security_group_rules", ())
             if one.get("direction") == "ingress")
    return {"id": given["id"], "name": given["name"], "description": given.get("description"),
            "tenant_id": given.get("tenant_id"), "rules": [one for one in rules if one]}


# -- groups ---------------------------------------------------------------------------------------

def _found(request: typing.Any, uuid: str) -> dict:
    return ask(request, NETWORK, "GET", f"/security-groups/{part(uuid)}",
               missing=f"Security group {uuid} not found.")["security_group"]


def _uuid(request: typing.Any) -> str:
    if not formats.is_uuid(request.args["id"]):
        raise errors.Invalid("Security group id should be uuid")
    return request.args["id"]


def _answer(request: typing.Any, given: dict) -> dict:
    return {"security_group": _group(given, Names(request, [given]))}


def index(request: typing.Any) -> dict:
    """The project's, or all of them for admins who say so."""
    everybody = request.admin and "all_tenants" in request.query
    query = {} if everybody else {"tenant_id": request.context.project_id}
    found = ask(request, NETWORK, "GET", "/security-groups", **query)["security_groups"]
    names = Names(request, found)
    shown = [_group(given, names) for given in page(request, found)]
    return {"security_groups": sorted(
        shown, key=lambda group: (group["tenant_id"] or "", group["name"]))}


def show(request: typing.Any) -> dict:
    """One."""
    return _answer(request, _found(request, _uuid(request)))


def _given(request: typing.Any) -> dict:
    given = request.body["security_group"]
    return {"security_group": {"name": given["name"], "description": given["description"]}}


def create(request: typing.Any) -> dict:
    """One more."""
    made = forwarding.tell(request, NETWORK, "POST", "/security-groups", _given(request))
    if made.status == 409:
        raise errors.Refused(made.sentence)
    if made.status >= 400:
        raise forwarding.problem(made)
    return _answer(request, made.document["security_group"])


def update(request: typing.Any) -> dict:
    """Another name."""
    uuid = _found(request, _uuid(request))["id"]
    return _answer(request, ask(request, NETWORK, "PUT", f"/security-groups/{part(uuid)}",
                                _given(request))["security_group"])


def delete(request: typing.Any) -> None:
    """One less; not while it is used."""
    uuid = _found(request, _uuid(request))["id"]
    answer = forwarding.tell(request, NETWORK, "DELETE", f"/security-groups/{part(uuid)}")
    if answer.status == 409:
        raise errors.Invalid(answer.sentence)
    if answer.status >= 400:
        raise forwarding.problem(answer)


# -- rules ----------------------------------------------------------------------------------------

def _cidr(text: typing.Any) -> str:
    if not text:
        return EVERYBODY
    plain = urllib.parse.unquote(str(text))
    try:
        network = ipaddress.ip_network(plain, strict=False)
        if "/" not in plain:
            raise ValueError
    except ValueError:
        raise errors.Invalid(f"{plain[:255]} is not a valid IP network.") from None
    whole = ("0.0.0.0", "::")            # nosec B104: a range of addresses, nothing is bound
    if network.prefixlen == 0 and plain.partition("/")[0] not in whole:
        raise errors.Invalid(f"Bad prefix for network in cidr {plain[:255]}")
    return plain


def _range(protocol: str, low: typing.Any, high: typing.Any) -> tuple[int, int]:
    """The ports, or what stands for them, checked as they always were."""
    word = protocol.upper()
    try:
        low, high = int(low), int(high)
    except (TypeError, ValueError):
        raise errors.Invalid("Invalid input received: " + (
            "Type and Code must be integers for ICMP protocol type" if word == "ICMP"
            else "To and From ports must be integers")) from None
    reason = ""
    if word not in ("TCP", "UDP", "ICMP"):
        raise errors.Invalid(f"Invalid IP protocol {protocol[:64]}.")
    if word == "ICMP":
        if not (-1 <= low <= 255 and -1 <= high <= 255):
            reason = "For ICMP, the type:code must be valid"
    elif low > high:
        reason = "Former value cannot be greater than the later"
    elif low < 1 or high > 65535:
        reason = f"Valid {word} ports should be between 1-65535"
    if reason:
        raise errors.Invalid(f"Invalid port range {low}:{high}. {reason}")
    return low, high


def _wanted(given: dict, parent: dict) -> dict:
    """A rule as the network service takes it."""
    group, protocol = given.get("group_id"), given.get("ip_protocol")
    low, high = given.get("from_port"), given.get("to_port")
    wanted: dict[str, typing.Any] = {"direction": "ingress", "security_group_id": parent["id"],
                                     "ethertype": "IPv4", "remote_group_id": group}
    if group is None:
        cidr = wanted["remote_ip_prefix"] = _cidr(given.get("cidr"))
        wanted["ethertype"] = f"IPv{ipaddress.ip_network(cidr, strict=False).version}"
    elif protocol and low is None and high is None:
        word = str(protocol).upper()
        low, high = {"ICMP": (-1, -1), "TCP": (1, 65535), "UDP": (1, 65535)}.get(
            word, (None, None))
    if protocol and low is not None and high is not None:
        low, high = _range(str(protocol), low, high)
        wanted |= {"protocol": str(protocol).lower()}
        wanted |= {name: value for name, value in (
            ("port_range_min", low), ("port_range_max", high)) if value != -1}
    elif group is None:
        raise errors.Invalid("Not enough parameters to build a valid rule.")
    return wanted


def create_rule(request: typing.Any) -> dict:
    """One more."""
    given = request.body["security_group_rule"]
    parent = _found(request, given["parent_group_id"])
    known = [parent]
    if given.get("group_id") is not None:
        known.append(_found(request, given["group_id"]))
    wanted = _wanted(given, parent)
    same = ("protocol", "port_range_min", "port_range_max", "remote_group_id", "remote_ip_prefix")
    if any(all(one.get(name) == wanted.get(name) for name in same)
           for one in parent.get("security_group_rules", ())
           if one.get("direction") == "ingress"):
        raise errors.Invalid(f"This rule already exists in group {parent['id']}")
    answer = forwarding.tell(request, NETWORK, "POST", "/security-group-rules",
                             {"security_group_rule": wanted})
    if answer.status == 409:
        raise errors.Refused(answer.sentence)
    if answer.status >= 400:
        raise forwarding.problem(answer)
    return {"security_group_rule": _rule(answer.document["security_group_rule"],
                                         Names(request, known))}


def delete_rule(request: typing.Any) -> None:
    """One less."""
    uuid = _uuid(request)
    ask(request, NETWORK, "DELETE", f"/security-group-rules/{part(uuid)}",
        missing=f"Security group rule {uuid} could not be found.")


_text = shapes.string(high=255)
_named = Shape(security_group=Shape(name=_text, description=_text, extra=True), extra=True)
_new_rule = Shape(security_group_rule=Shape(
    parent_group_id=shapes.uuid, group_id=optional(shapes.nullable(shapes.uuid)), extra=True),
    extra=True)
_page = Query(limit=optional(shapes.non_negative), offset=optional(shapes.non_negative),
              all_tenants=optional(shapes.string()))
_one = GROUPS + "/{id}"

ACTIONS = (
    row("security-groups:index", "GET", GROUPS, f"{PREFIX}:get", index, query=_page),
    row("security-groups:create", "POST", GROUPS, f"{PREFIX}:create", create, body=_named),
    row("security-groups:show", "GET", _one, f"{PREFIX}:show", show),
    row("security-groups:update", "PUT", _one, f"{PREFIX}:update", update, body=_named),
    row("security-groups:delete", "DELETE", _one, f"{PREFIX}:delete", delete, success=202),
    row("security-group-rules:create", "POST", RULE, f"{PREFIX}:rule:create", create_rule,
        body=_new_rule),
    row("security-group-rules:delete", "DELETE", RULE + "/{id}", f"{PREFIX}:rule:delete",
        delete_rule, success=202),
)

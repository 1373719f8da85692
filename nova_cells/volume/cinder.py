# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Volumes of the Block Storage service, version 3.

What a user asks for is asked with the user's own token, in the same request; everything else as
our service user, whose token goes along as the service token, too: without it the service lets
nobody take an attachment from a server.  May assume a keystoneauth session that can authenticate,
and a service that takes addresses without a project (3.67, but any microversion may be asked for).
Never keeps a token; never logs what a connector or a connection holds.
"""

import json
import re
import typing

import requests
from keystoneauth1 import adapter, loading
from keystoneauth1 import exceptions as ks
from oslo_config import cfg
from oslo_log import log

from nova_cells.domain import errors
from nova_cells.volume import protocol

LOG = log.getLogger(__name__)
MICROVERSION = "volume 3.60"
_ID = re.compile(r"^[A-Za-z0-9_.-]{1,255}$")
#: The key in a volume's metadata by which one is found again that we made.
MADE = "nova_cells"
Json = dict[str, typing.Any]


def from_conf(conf: cfg.ConfigOpts) -> "CinderRoom":
    """The room, as the service user of ``[service_user]``."""
    loading.register_auth_conf_options(conf, "service_user")
    auth = loading.load_auth_from_conf_options(conf, "service_user")
    if auth is None:
        raise errors.Invalid("[service_user] auth_type is not set: volumes need a service user, "
                             "which has the role 'service' or 'admin'; see etc/nova-cells")
    session = loading.load_session_from_conf_options(conf, "service_user", auth=auth)
    return CinderRoom(adapter.Adapter(
        session, service_type="block-storage", interface=conf.cinder.valid_interfaces,
        region_name=conf.cinder.os_region_name, endpoint_override=conf.cinder.endpoint_override,
        status_code_retries=0, raise_exc=False, client_name="nova-cells"),
        timeout=conf.cinder.timeout, retries=conf.cinder.http_retries)


class CinderRoom:
    """The volume service behind an adapter that is authenticated as our service user."""

    def __init__(self, service: adapter.Adapter, timeout: float = 60, retries: int = 3) -> None:
        self._service, self._timeout, self._retries = service, timeout, retries
        self._base: str | None = None

    # -- what users see ----------------------------------------------------------------------------

    def show(self, volume_id: str, token: str | None = None) -> protocol.Volume:
        """One volume."""
        missing = f"Volume {volume_id} could not be found."
        return _volume(self._ask("GET", f"/volumes/{_part(volume_id, missing)}", token=token,
                                 missing=missing)["volume"])

    def snapshot(self, snapshot_id: str, token: str | None = None) -> protocol.Snapshot:
        """One snapshot."""
        missing = f"Snapshot {snapshot_id} could not be found."
        return _snapshot(self._ask("GET", f"/snapshots/{_part(snapshot_id, missing)}",
                                   token=token, missing=missing)["snapshot"])

    def types(self, token: str | None = None) -> dict[str, str]:
        """The volume types that may be used: id -> name."""
        found = self._ask("GET", "/types", token=token)["volume_types"]
        return {str(one["id"]): str(one["name"]) for one in found}

    def create(self, plan: protocol.Plan, token: str | None = None) -> protocol.Volume:
        """A new volume."""
        wanted = {"size": plan.size, "name": plan.name, "imageRef": plan.image,
                  "snapshot_id": plan.snapshot, "volume_type": plan.volume_type,
                  "availability_zone": plan.zone, "metadata": {MADE: plan.key}}
        body = {"volume": {key: value for key, value in wanted.items() if value is not None}}
        return _volume(self._ask("POST", "/volumes", body, token=token)["volume"])

    def made(self, key: str) -> list[protocol.Volume]:
        """By this key, of any project."""
        found = self._ask("GET", "/volumes/detail", query={
            "all_tenants": "1", "metadata": json.dumps({MADE: key})})["volumes"]
        return [_volume(one) for one in found if one.get("metadata", {}).get(MADE) == key]

    def delete(self, volume_id: str) -> None:
        """Gone, soon."""
        self._gone(f"/volumes/{_part(volume_id, 'no such volume')}")

    # -- attachments -------------------------------------------------------------------------------

    def reserve(self, volume_id: str, server: str) -> str:
        """An attachment without a connector."""
        made = self._ask("POST", "/attachments", {"attachment": {
            "volume_uuid": volume_id, "instance_uuid": server}},
            missing=f"Volume {volume_id} could not be found.")
        return str(made["attachment"]["id"])

    def connect(self, attachment: str, connector: Json, device: str | None = None) -> Json:
        """What the service says of how this host gets at the data."""
        told = {**connector, "mountpoint": device} if device else connector
        made = self._ask("PUT", f"/attachments/{attachment}", {"attachment": {
            "connector": told}}, missing=f"Volume attachment {attachment} could not be found.",
            tries=self._retries)
        return dict(made["attachment"].get("connection_info") or {})

    def complete(self, attachment: str) -> None:
        """In use."""
        self._ask("POST", f"/attachments/{attachment}/action", {"os-complete": {}},
                  missing=f"Volume attachment {attachment} could not be found.",
                  tries=self._retries)

    def release(self, attachment: str) -> None:
        """Let go."""
        self._gone(f"/attachments/{attachment}")

    def uses(self, server: str, volume_id: str | None = None) -> list[protocol.Use]:
        """All attachments of a server."""
        query = {"all_tenants": "1", "instance_id": server}
        if volume_id:
            query["volume_id"] = volume_id
        found = self._ask("GET", "/attachments/detail", query=query)["attachments"]
        return [_use(one) for one in found if (one.get("instance") or server) == server]

    # -- what hosts say ------------------------------------------------------------------------

    def migrated(self, old: str, new: str, failed: bool = False) -> str:
        """The id that the volume has now."""
        answer = self._ask("POST", f"/volumes/{old}/action", {"os-migrate_volume_completion": {
            "new_volume": new, "error": failed}}, missing=f"Volume {old} could not be found.")
        return str(answer.get("save_volume_id") or new)

    def take_snapshot(self, volume_id: str, name: str,
                      token: str | None = None) -> protocol.Snapshot:
        """A snapshot, of a volume in use as well."""
        return _snapshot(self._ask("POST", "/snapshots", {"snapshot": {
            "volume_id": volume_id, "name": name, "force": True}}, token=token,
            missing=f"Volume {volume_id} could not be found.")["snapshot"])

    def drop_snapshot(self, snapshot_id: str) -> None:
        """Gone, soon."""
        self._gone(f"/snapshots/{_part(snapshot_id, 'no such snapshot')}")

    def tell_snapshot(self, snapshot_id: str, status: str) -> None:
        """How an assisted snapshot goes."""
        self._ask("POST", f"/snapshots/{snapshot_id}/action", {"os-update_snapshot_status": {
            "status": status, "progress": "90%"}},
            missing=f"Snapshot {snapshot_id} could not be found.")

    # -- asking ------------------------------------------------------------------------------------

    def _gone(self, path: str) -> None:
        try:
            self._ask("DELETE", path, missing="gone already", tries=self._retries)
        except errors.NotFound:
            return

    def _ask(self, method: str, path: str, body: Json | None = None, *, token: str | None = None,
             query: dict[str, str] | None = None, missing: str = "no such thing",
             tries: int = 0) -> Json:
        """The answer's document.  Only what may be repeated says ``tries``."""
        headers = {"Accept": "application/json", "OpenStack-API-Version": MICROVERSION}
        try:
            own = self._service.get_token()
            headers |= {"X-Auth-Token": token or own, "X-Service-Token": own}
            answer = self._service.request(
                self._url() + path, method, headers=headers, authenticated=False,
                timeout=self._timeout, params=query, connect_retries=tries,
                **({} if body is None else {"json": body}))
        except (ks.ClientException, requests.RequestException) as problem:
            LOG.warning("the volume service does not answer: %s", type(problem).__name__)
            raise protocol.Unreachable("the volume service does not answer; try again later")
        if answer.status_code >= 300:
            _refuse(answer, missing, ours=token is None)
        try:
            return answer.json() if answer.content else {}
        except ValueError:
            raise protocol.Unreachable("the volume service's answer cannot be understood: check "
                                       "[cinder] endpoint_override") from None

    def _url(self) -> str:
        """The service's address up to /v3: what stands behind it is the service user's project."""
        if self._base is None:
            found = self._service.get_endpoint()
            if not found:
                raise protocol.Unreachable("the catalogue names no volume service: check [cinder]")
            self._base = re.sub(r"(/v3)(/.*)?$", r"\1", found.rstrip("/"))
        return self._base


def _part(identifier: str, missing: str) -> str:
    """What may stand in an address."""
    if not _ID.match(identifier) or identifier in (".", ".."):
        raise errors.NotFound(missing)
    return identifier


def _refuse(answer: requests.Response, missing: str, ours: bool) -> typing.NoReturn:
    status, words = answer.status_code, _words(answer)
    if status == 404:
        raise errors.NotFound(missing)
    if status == 413:
        raise errors.OverLimit(words)
    if status in (401, 403) and not ours:
        raise errors.Refused(words)
    if status in (401, 403):
        raise protocol.Unreachable("the volume service refuses our service user: check the roles "
                                   "and the password in [service_user]")
    if status in (400, 409):
        raise errors.Invalid(words)
    raise protocol.Unreachable(f"the volume service answers {status}: see its log")


def _words(answer: requests.Response) -> str:
    """The sentence of a fault."""
    try:
        [fault] = answer.json().values()
        return str(fault["message"])[:500]
    except (ValueError, TypeError, KeyError, AttributeError):
        return f"the volume service answers {answer.status_code}"


def _volume(found: Json) -> protocol.Volume:
    uses = tuple(protocol.Use(
        id=str(one.get("attachment_id")), volume_id=str(found["id"]), host=one.get("host_name"),
        server=str(one.get("server_id")), status="attached")
        for one in found.get("attachments") or ())
    return protocol.Volume(
        id=str(found["id"]), size=int(found.get("size") or 0), status=str(found["status"]),
        name=found.get("name") or "", bootable=str(found.get("bootable")).lower() == "true",
        multiattach=bool(found.get("multiattach")), zone=found.get("availability_zone"),
        volume_type=found.get("volume_type"), migration=found.get("migration_status") or None,
        image={key: str(value) for key, value in
               (found.get("volume_image_metadata") or {}).items()}, uses=uses)


def _snapshot(found: Json) -> protocol.Snapshot:
    return protocol.Snapshot(id=str(found["id"]), volume_id=str(found["volume_id"]),
                             size=int(found.get("size") or 0), status=str(found["status"]))


def _use(found: Json) -> protocol.Use:
    connector = found.get("connector") or {}
    return protocol.Use(id=str(found["id"]), volume_id=str(found["volume_id"]),
                        server=str(found.get("instance") or ""), status=str(found["status"]),
                        host=connector.get("host"))

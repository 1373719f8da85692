# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A small server that speaks the Block Storage API over a fake's volumes, and notes who asked."""

import http.server
import json
import re
import threading
import urllib.parse

from nova_cells.domain import errors
from nova_cells.volume import fake, protocol

STATUS = {"not_found": 404, "invalid": 400, "over_limit": 413, "refused": 403, "cell_down": 503}


class StandIn:
    """Runs until ``close``.  ``base``: its address, as a catalogue names it."""

    def __init__(self) -> None:
        self.room = fake.FakeVolumes()
        self.seen: list[tuple[str, str, str | None, str | None, str | None]] = []
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.base = f"http://127.0.0.1:{self._server.server_port}/v3/service-project"

    def close(self) -> None:
        """No more."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, query: dict, body: dict) -> tuple[int, dict | None]:
        """What the service would say.  User tokens are owners of the fake's volumes."""
        for (wanted, pattern), do in _ROUTES.items():
            match = re.fullmatch(pattern, path)
            if match and wanted == method:
                return do(self.room, query, body, *match.groups())
        return 404, {"itemNotFound": {"message": "no such route", "code": 404}}


class _Handler(http.server.BaseHTTPRequestHandler):
    def _do(self) -> None:
        url = urllib.parse.urlparse(self.path)
        given = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        owner = self.server.owner
        owner.seen.append((self.command, url.path, self.headers.get("X-Auth-Token"),
                           self.headers.get("X-Service-Token"),
                           self.headers.get("OpenStack-API-Version")))
        query = dict(urllib.parse.parse_qsl(url.query))
        token = self.headers.get("X-Auth-Token")
        query["token"] = None if token == "ours" else token
        try:
            status, body = owner.answer(self.command, url.path, query,
                                        json.loads(given) if given else {})
        except errors.Problem as problem:
            status = STATUS[problem.family]
            body = {"fault": {"message": problem.message, "code": status}}
        text = json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_DELETE = _do

    def log_message(self, *words: object) -> None:
        """Quiet."""


def _volume(room: fake.FakeVolumes, volume: protocol.Volume) -> dict:
    return {"id": volume.id, "size": volume.size, "status": volume.status, "name": volume.name,
            "bootable": "true" if volume.bootable else "false", "multiattach": volume.multiattach,
            "availability_zone": volume.zone, "volume_type": volume.volume_type,
            "migration_status": volume.migration, "volume_image_metadata": volume.image,
            "metadata": {"nova_cells": room._keys.get(volume.id, "")},
            "attachments": [{"attachment_id": use.id, "server_id": use.server,
                             "host_name": use.host} for use in volume.uses]}


def _snapshot(found: protocol.Snapshot) -> dict:
    return {"id": found.id, "volume_id": found.volume_id, "size": found.size,
            "status": found.status}


def _create(room, query, body):  # noqa: ANN001, ANN202
    wanted = body["volume"]
    made = room.create(protocol.Plan(
        key=wanted["metadata"]["nova_cells"], size=wanted["size"], name=wanted.get("name", ""),
        image=wanted.get("imageRef"), snapshot=wanted.get("snapshot_id"),
        volume_type=wanted.get("volume_type"), zone=wanted.get("availability_zone")),
        query["token"])
    return 202, {"volume": _volume(room, made)}


def _made(room, query, _body):  # noqa: ANN001, ANN202
    key = json.loads(query["metadata"])["nova_cells"]
    return 200, {"volumes": [_volume(room, one) for one in room.made(key)]}


def _reserve(room, _query, body):  # noqa: ANN001, ANN202
    wanted = body["attachment"]
    made = room.reserve(wanted["volume_uuid"], wanted["instance_uuid"])
    return 200, {"attachment": {"id": made}}


def _connect(room, _query, body, uuid):  # noqa: ANN001, ANN202
    told = room.connect(uuid, body["attachment"]["connector"])
    return 200, {"attachment": {"id": uuid, "connection_info": told}}


def _uses(room, query, _body):  # noqa: ANN001, ANN202
    return 200, {"attachments": [
        {"id": use.id, "volume_id": use.volume_id, "instance": use.server, "status": use.status,
         "connector": {"host": use.host} if use.host else None}
        for use in room.uses(query["instance_id"], query.get("volume_id"))]}


def _act_on_volume(room, _query, body, uuid):  # noqa: ANN001, ANN202
    wanted = body["os-migrate_volume_completion"]
    return 200, {"save_volume_id": room.migrated(uuid, wanted["new_volume"], wanted["error"])}


def _take(room, query, body):  # noqa: ANN001, ANN202
    wanted = body["snapshot"]
    return 202, {"snapshot": _snapshot(room.take_snapshot(
        wanted["volume_id"], wanted["name"], query["token"]))}


def _tell(room, _query, body, uuid):  # noqa: ANN001, ANN202
    room.tell_snapshot(uuid, body["os-update_snapshot_status"]["status"])
    return 202, None


def _nothing(call, status=202):  # noqa: ANN001, ANN202
    def answer(room, _query, _body, *args):  # noqa: ANN001, ANN202
        getattr(room, call)(*args)
        return status, None
    return answer


_ONE = "([^/]+)"
_ROUTES = {
    ("GET", f"/v3/volumes/{_ONE}"): lambda room, query, _body, uuid: (_made(room, query, _body)
     if uuid == "detail" else (200, {"volume": _volume(room, room.show(uuid, query["token"]))})),
    ("POST", "/v3/volumes"): _create,
    ("DELETE", f"/v3/volumes/{_ONE}"): _nothing("delete"),
    ("POST", f"/v3/volumes/{_ONE}/action"): _act_on_volume,
    ("GET", "/v3/types"): lambda room, _query, _body: (200, {"volume_types": [
        {"id": key, "name": name} for key, name in room.types().items()]}),
    ("GET", f"/v3/snapshots/{_ONE}"): lambda room, query, _body, uuid: (
        200, {"snapshot": _snapshot(room.snapshot(uuid, query["token"]))}),
    ("POST", "/v3/snapshots"): _take,
    ("DELETE", f"/v3/snapshots/{_ONE}"): _nothing("drop_snapshot"),
    ("POST", f"/v3/snapshots/{_ONE}/action"): _tell,
    ("POST", "/v3/attachments"): _reserve,
    ("GET", "/v3/attachments/detail"): _uses,
    ("PUT", f"/v3/attachments/{_ONE}"): _connect,
    ("DELETE", f"/v3/attachments/{_ONE}"): _nothing("release", 200),
    ("POST", f"/v3/attachments/{_ONE}/action"): _nothing("complete", 204),
}

# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""A whole API in the test's process: real view, real layers, noauth2, and a child that obeys.

The child is a small object whose ``call`` answers as a cell's conductor would: it keeps records
and moves them by the lifecycle table.  ``down`` makes it silent.
"""

import itertools
import json
import threading
import typing

import msgspec
import sqlalchemy as sa
import testtools
import webob
from oslo_config import cfg

from nova_cells.api import app
from nova_cells.db import view as views
from nova_cells.db.view import tables
from nova_cells.domain import (
    boot,
    commands,
    consoles,
    diagnostics,
    errors,
    lifecycle,
    records,
    renewal,
    resources,
    tags,
)
from nova_cells.domain import server as model
from nova_cells.image import fake as fake_images
from nova_cells.volume import fake as fake_volumes
from tests.rest import host_errands
from tests.servers import databases

CELL = "ce110000-0000-4000-8000-000000000001"
MEMBER, OTHER, ADMIN = "ann:apples", "bob:bananas", "admin:admins"
PICTURE = fake_images.CIRROS


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def time(self) -> float:
        self.now += 0.001
        return self.now

    def monotonic(self) -> float:
        return self.now


class Ids:
    """Uuids in a row."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def uuid(self) -> str:
        number = next(self._numbers)
        return f"{number % 256:02x}ab0000-0000-4000-8000-{number:012x}"


class Ledger:
    """Which threads have a transaction open.  None may have one while somebody else is asked: a
    cell or an image service that does not answer would hold the database's locks."""

    def __init__(self, view: views.View) -> None:
        self._open: set[int] = set()
        sa.event.listen(view.engine, "begin", lambda _c: self._open.add(threading.get_ident()))
        for end in ("commit", "rollback"):
            sa.event.listen(view.engine, end,
                            lambda _c: self._open.discard(threading.get_ident()))

    def must_be_closed(self, what: str) -> None:
        """AssertionError if this thread has a transaction open."""
        if threading.get_ident() in self._open:
            raise AssertionError(f"a transaction is open over {what}")

    def watched(self, room: typing.Any) -> typing.Any:
        """The same room, which must be asked outside of transactions."""
        ledger = self

        class Watched:
            def __getattr__(self, name: str) -> typing.Any:
                ledger.must_be_closed(f"{type(room).__name__}.{name}")
                return getattr(room, name)
        return Watched()


class Child:
    """A cell of one host, in the test's hands: what it is called with, it does at once."""

    def __init__(self, view: views.View, clock: Clock) -> None:
        self.view, self.clock = view, clock
        self.ledger = Ledger(view)
        self.down = False
        self.calls: list[typing.Any] = []
        self.casts: list[typing.Any] = []
        self.records: dict[str, model.Server] = {}
        self.boots: dict[str, commands.Boot] = {}
        self.errands = host_errands.HostErrands()
        self.consoles = ["novnc"]        # kinds that the host offers
        self.passwords: dict[str, str] = {}      # that guests posted

    def cast(self, _to: typing.Any, message: typing.Any) -> None:
        """Takes a boot; ``confirm`` makes it run."""
        self.ledger.must_be_closed("a cast")
        self.casts.append(message)
        if self.down:
            raise errors.CellDown("the cell does not answer")
        if isinstance(message, commands.Boot):
            self.boots[message.server] = message
        elif isinstance(message, commands.Run | commands.Act):
            self.call(_to, message)

    def confirm(self, uuid: str, **changes: typing.Any) -> model.Server:
        """The offer is confirmed and the guest runs on node-1."""
        boot_message = self.boots[uuid]
        now = self.clock.time()
        record = boot_message.record
        if record.verb is None:
            record = lifecycle.begin(record, "boot", now)
        facts = {"host": "node-1", "node": "node-1.example", "cell": CELL,
                 "availability_zone": "nova", "instance_name": "instance-00000001", **changes}
        record = lifecycle.finish(record, now, **facts)
        self.records[uuid] = record
        with self.view.write() as tx:
            assert self.view.placing.confirm(tx, record, CELL, now)
        return record

    def call(self, _to: typing.Any, message: typing.Any, _budget: float | None = None):
        """Answers a command."""
        self.ledger.must_be_closed("a call")
        self.calls.append(message)
        if self.down:
            raise errors.CellDown("the cell does not answer")
        if isinstance(message, commands.Aggregates):
            return commands.Done()
        if isinstance(message, commands.HostCommand):
            return self._host(message)
        if isinstance(message, commands.Run | commands.ReadErrand):
            return self.errands.answer(self, message)
        if isinstance(message, commands.Question) and not isinstance(message,
                                                                     commands.ReadConsole):
            return self._answer(message)
        if isinstance(message, commands.ReadConsole):
            text = "line 1\nline 2\nline 3\n"
            lines = text.splitlines(keepends=True)
            return commands.Text(text="".join(lines[-message.lines:] if message.lines else lines))
        record = self._carry_out(self.records[message.server], message, self.clock.time())
        self.records[message.server] = record
        return commands.Done(record=record)

    def _answer(self, message: typing.Any) -> typing.Any:
        """What its host would answer."""
        match message:
            case commands.ReadDiagnostics():
                return commands.Diagnosed(diagnostics=diagnostics.Diagnostics(
                    power=self.records[message.server].power_state, memory_maximum=512,
                    cpus=(diagnostics.Cpu(id=0, time=7),), disks=(diagnostics.Disk(read_bytes=5),)))
            case commands.FindConsole():
                if message.kind not in self.consoles:
                    raise errors.Invalid(f"Unavailable console type {message.kind}.")
                return commands.ConsoleFound(where=consoles.Where(
                    kind=message.kind, host="10.0.0.7", port=5901, tls_port=5902,
                    base_url=f"http://proxy.example/{message.kind}"))
            case commands.ReadPassword():
                return commands.Text(text=self.passwords.get(message.server, ""))
        raise AssertionError(message)

    def _host(self, message: typing.Any) -> records.Record:
        """What its conductor would make of an order about a host."""
        with self.view.read() as tx:
            known = {host.uuid: host for _id, _cell, host in self.view.records.hosts(tx)}
        host = model.replace(known[message.uuid], version=known[message.uuid].version + 1)
        if isinstance(message, commands.ForgetHost):
            if host.up:
                raise errors.Conflict(f"the host {host.name} is up")
            host = model.replace(host, deleted=True)
        elif message.disabled is not msgspec.UNSET:
            host = model.replace(host, disabled=message.disabled, disabled_reason=message.reason)
        if isinstance(message, commands.SetHost) and message.forced_down is not msgspec.UNSET:
            host = model.replace(host, forced_down=message.forced_down)
        return records.Record(kind="host", uuid=host.uuid, epoch=0, version=host.version,
                              host=host)

    def _carry_out(self, record: model.Server, message: typing.Any, now: float) -> model.Server:
        match message:
            case commands.Act():
                begun = lifecycle.begin(record, message.verb, now)
                if message.verb == "rebuild":
                    begun = renewal.renewed(begun, message.wanted)
                off = message.verb == "rebuild" and record.rest == "stopped"
                return lifecycle.finish(begun, now, **({"rest": "stopped"} if off else {}))
            case commands.Delete():
                return lifecycle.finish(lifecycle.begin(record, "delete", now), now)
            case commands.SteerMigration():
                if record.verb != "live_migrate":
                    raise errors.Conflict("it is not being migrated")
                if not message.migration:
                    raise errors.NotFound(f"Migration {message.shown} not found")
                return lifecycle.change(record, now)
            case commands.Lock():
                changed = lifecycle.lock(record, message.locked, message.reason,
                                         message.origin.project_id, now)
                return changed
            case commands.ResetState():
                return lifecycle.reset(record, message.rest, now)
            case commands.Update():
                fields = {name: getattr(message, name) for name in message.__struct_fields__
                          if name not in ("op", "server", "epoch", "origin")}
                return lifecycle.change(record, now, **{
                    name: value for name, value in fields.items() if value is not msgspec.UNSET})
            case commands.ChangeMetadata():
                kept = {} if message.whole else dict(record.metadata)
                kept.update(message.items)
                for key in message.remove:
                    del kept[key]
                return lifecycle.change(record, now, metadata=kept)
            case commands.ClearPassword():
                self.passwords.pop(message.server, None)
                return record
            case commands.ChangeTags():
                return tags.changed(record, now, add=message.add, remove=message.remove,
                                    whole=message.whole)
        raise AssertionError(message)


def database(quota: dict[str, int]) -> views.View:
    """An empty view on SQLite, or on the database that NOVA_CELLS_TEST_DATABASE names."""
    kind = databases.kind()
    url = "sqlite://" if kind == "sqlite" else databases.same(kind, tables.metadata)
    view = views.View(url, quota_defaults=quota)
    view.create_tables()
    return view


def configuration(files: typing.Sequence[str] = (), **overrides: typing.Any) -> cfg.ConfigOpts:
    """A private configuration with noauth2 on loopback."""
    conf = cfg.ConfigOpts()
    conf([], project="nova-cells", default_config_files=list(files), default_config_dirs=[])
    app.register(conf)
    conf.register_opt(cfg.StrOpt("bind_host", default="127.0.0.1"), group="standalone")
    conf.set_override("auth_strategy", "noauth2", group="api")
    for name, value in overrides.items():
        conf.set_override(name, value, group="api")
    return conf


def prepare_cell(view: views.View, flavors: typing.Iterable[model.Flavor], now: float,
                 cell: str = CELL, name: str = "cell1", slots: int = 50,
                 capabilities: tuple[str, ...] = ()) -> None:
    """A cell that is up and has this much room for each of the flavors."""
    counts = {resources.shape(flavor): slots for flavor in flavors}
    with view.write() as tx:
        view.cells.create(tx, cell, name, f"local://{name}", now)
        view.records.keep_slots(tx, cell, records.SlotsRecord(
            cell=cell, version=1, slots=counts, zones={"nova": counts}, hosts=1), 1)
        view.records.keep_host(tx, cell, records.HostRecord(
            uuid=cell[:-4] + "0bad", name="node-1", version=1, capabilities=capabilities), 1,
            now)


class Answer:
    """A reply, with what tests look at."""

    def __init__(self, response: webob.Response) -> None:
        self.status, self.headers, self.text = (response.status_int, response.headers,
                                                response.text)

    @property
    def json(self) -> typing.Any:
        """The body."""
        return json.loads(self.text)

    @property
    def message(self) -> str:
        """What the fault says."""
        return next(iter(self.json.values()))["message"]


class RestCase(testtools.TestCase):
    """Each test has an API of its own."""

    options: dict[str, typing.Any] = {}
    child_class: type[Child] = Child
    with_volumes = False                 # a volume service, and hosts that can use it
    quota = {"instances": 10, "cores": 20, "ram": 51200, "metadata_items": 5, "key_pairs": 10}

    def setUp(self) -> None:
        super().setUp()
        self.clock, self.ids = Clock(), Ids()
        self.view = database(self.quota)
        self.addCleanup(self.view.close)
        self.child = self.child_class(self.view, self.clock)
        self.images = fake_images.FakeImages()
        self.volumes = fake_volumes.FakeVolumes() if self.with_volumes else None
        self.conf = configuration(**self.options)
        self._prepare()
        self.app = app.loadapp(self.conf, self.view, self.child,
                               self.child.ledger.watched(self.images), self.clock, self.ids,
                               volumes=self.with_volumes and self.child.ledger.watched(
                                   self.volumes),
                               network=self.network_room())

    def network_room(self) -> typing.Any:
        """The networks of this deployment; None: it has none."""
        return None

    def _prepare(self) -> None:
        """A cell with room, and a flavor."""
        flavor = model.Flavor(id="1", name="m1.tiny", vcpus=1, ram_mb=512, disk_gb=1)
        with self.view.write() as tx:
            self.view.flavors.create(tx, flavor, self.clock.time())
        prepare_cell(self.view, [flavor], self.clock.time(), capabilities=(
            "volumes", "interfaces", "assisted_snapshots") if self.with_volumes else ())

    def ask(self, method: str, path: str, body: typing.Any = None, *, token: str = MEMBER,
            version: str | None = None, headers: dict[str, str] | None = None,
            raw: bytes | None = None, content_type: str = "application/json") -> Answer:
        """One request."""
        request = webob.Request.blank("/v2.1" + path, method=method)
        if token:
            request.headers["X-Auth-Token"] = token
        if version:
            request.headers["OpenStack-API-Version"] = f"compute {version}"
        request.headers.update(headers or {})
        if body is not None or raw is not None:
            request.body = raw if raw is not None else json.dumps(body).encode()
            request.content_type = content_type
        return Answer(request.get_response(self.app))

    def create(self, *, run: bool = True, token: str = MEMBER, version: str | None = None,
               **fields: typing.Any) -> str:
        """A server; running unless said otherwise.  Its uuid."""
        server = {"name": "a", "flavorRef": "1", "imageRef": PICTURE, **fields}
        if version and int(version.split(".")[1]) >= 37:
            server.setdefault("networks", "none")
        answer = self.ask("POST", "/servers", {"server": server}, token=token, version=version)
        self.assertEqual(202, answer.status, answer.text)
        uuid = answer.json["server"]["id"]
        if run:
            self.child.confirm(uuid)
        return uuid

    def secrets(self, uuid: str) -> boot.Secrets:
        """What the offer of a server carries in secret."""
        carried = self.child.boots[uuid].secrets
        opened = isinstance(carried, boot.Secrets)
        return carried if opened else self.view.seal.open_secrets(carried)

    def act(self, uuid: str, key: str, value: typing.Any = None, **more: typing.Any) -> Answer:
        """POST .../action."""
        return self.ask("POST", f"/servers/{uuid}/action", {key: value}, **more)


__all__ = ["ADMIN", "CELL", "MEMBER", "OTHER", "PICTURE", "Answer", "RestCase", "prepare_cell"]

# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The services as commands: what cannot work is one sentence, what works stops and begins anew."""

import os
import signal
import sqlite3
import subprocess
import sys
import time

from nova_cells.db import cell as cell_database
from nova_cells.db import migrations
from tests.unit.cmd import base

CELL = "ce110000-0000-4000-8000-000000000001"
CHILD = """
[DEFAULT]
state_path = {state}
compute_driver = fake
host = h1
[cell]
name = c1
uuid = {uuid}
transport_url = {bus}
[cell_database]
connection = sqlite:///{state}/cell.sqlite
[conductor]
workers = {workers}
[glance]
source = fake
"""


class DaemonTestCase(base.CommandTestCase):
    def child(self, uuid=CELL, bus="local://b", workers=1, schema=True):
        """A configuration of a child cell's process."""
        os.makedirs(self.state, exist_ok=True)
        url = f"sqlite:///{self.state}/cell.sqlite"
        if schema:
            migrations.upgrade("cell", url)
            store = cell_database.CellStore(url)
            store.identity("c1", lambda: CELL)
            store.close()
        return self.file(CHILD.format(state=self.state, uuid=uuid, bus=bus, workers=workers))

    def running(self, module, file):
        """A daemon that is ready, and its log."""
        log = open(os.path.join(self.folder, "log"), "w+")
        self.addCleanup(log.close)
        process = subprocess.Popen(
            [sys.executable, "-m", f"nova_cells.cmd.{module}", "--config-file", file],
            stderr=log, stdout=log, env=base.ENV)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process, log.name

    def assertSays(self, log, words, times=1, seconds=60.0):
        """The log says so, so many times."""
        end = time.monotonic() + seconds
        while open(log).read().count(words) < times:
            if time.monotonic() > end:
                self.fail(f"not said {times} times: {words!r} in {open(log).read()}")
            time.sleep(0.05)


class WhatCannotWork(DaemonTestCase):
    def test_no_configuration(self):
        code, _out, error = self.command("conductor", "--config-file", "/nowhere.conf")
        self.assertEqual(2, code)
        self.assertSentence(error, "/nowhere.conf")

    def test_no_cell(self):
        code, _out, error = self.command("compute", "--config-file", self.file("[DEFAULT]\n"))
        self.assertEqual(2, code)
        self.assertSentence(error, "[cell] name is not set")

    def test_no_schema(self):
        code, _out, error = self.command("conductor", "--config-file", self.child(schema=False))
        self.assertEqual(2, code)
        self.assertSentence(error, "db sync cell")

    def test_the_database_of_another_cell(self):
        other = CELL.replace("1", "2")
        code, _out, error = self.command("conductor", "--config-file", self.child(uuid=other))
        self.assertEqual(2, code)
        self.assertSentence(error, CELL, other)

    def test_a_bus_that_does_not_answer(self):
        file = self.child(bus="rabbit://u:hidden@127.0.0.1:1/v")
        for command in ("conductor", "compute"):
            code, _out, error = self.command(command, "--config-file", file)
            self.assertEqual(1, code)
            self.assertSentence(error, "message bus", "***")
            self.assertNotIn("hidden", error)

    def test_a_view_without_schema(self):
        sqlite3.connect(os.path.join(self.folder, "view.sqlite")).close()
        file = self.file(f"[DEFAULT]\nstate_path = {self.folder}\n[view_database]\nconnection = "
                         f"sqlite:///{self.folder}/view.sqlite\n")
        code, _out, error = self.command("collector", "--config-file", file)
        self.assertEqual(2, code)
        self.assertSentence(error, "db sync view")


class WhatWorks(DaemonTestCase):
    def test_ends_when_told(self):
        process, log = self.running("conductor", self.child())
        self.assertSays(log, "nova-cells-conductor: ready")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(0, process.wait(30))

    def test_begins_anew_with_another_configuration(self):
        file = self.child()
        process, log = self.running("conductor", file)
        self.assertSays(log, "nova-cells-conductor: ready")
        with open(file, "a") as more:
            more.write("[metrics]\nport = 1\n")      # nobody may listen there: it is said
        process.send_signal(signal.SIGHUP)
        self.assertSays(log, "nova-cells-conductor: ready", times=2)
        self.assertIsNone(process.poll())

    def test_several_workers_come_back_when_one_dies(self):
        process, log = self.running("conductor", self.child(workers=2))
        self.assertSays(log, "nova-cells-conductor: ready", times=2)
        children = [int(pid) for pid in open(
            f"/proc/{process.pid}/task/{process.pid}/children").read().split()]
        if not children:                 # they were forked by another thread of the parent
            children = [int(pid) for task in os.listdir(f"/proc/{process.pid}/task")
                        for pid in open(f"/proc/{process.pid}/task/{task}/children").read().split()]
        os.kill(children[0], signal.SIGKILL)
        self.assertSays(log, "nova-cells-conductor: ready", times=3)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(0, process.wait(30))

    def test_one_agent_for_a_host(self):
        file = self.child()
        first, log = self.running("compute", file)
        self.assertSays(log, "nova-cells-compute: ready")
        second, other = self.running_beside("compute", file)
        self.assertSays(other, "is in use by process")
        for process in (first, second):
            process.send_signal(signal.SIGTERM)
            self.assertEqual(0, process.wait(30))

    def running_beside(self, module, file):
        """Another one, with a log of its own."""
        self.folder = os.path.join(self.folder, "beside")
        os.makedirs(self.folder)
        return self.running(module, file)


class TheApi(DaemonTestCase):
    def ask(self, file, path="/v2.1/flavors"):
        """(status, body) of a request to the WSGI module in a process of its own."""
        code = ("import webob; from nova_cells.cmd import wsgi; "
                f"r = webob.Request.blank({path!r}, headers={{'X-Auth-Token': 'admin:demo'}})"
                ".get_response(wsgi.application); print(r.status_int, r.text)")
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                             env={**base.ENV, "NOVA_CELLS_CONFIG_FILES": file}, timeout=60)
        last = (run.stdout.splitlines() or [""])[-1]     # what comes before is the log
        status, _, text = last.partition(" ")
        return int(status or 0), text, run

    def conf(self, view):
        return self.file(f"[DEFAULT]\nstate_path = {self.folder}\n[api]\nauth_strategy = noauth2\n"
                         f"[glance]\nsource = fake\n[view_database]\nconnection = {view}\n")

    def test_answers(self):
        url = f"sqlite:///{self.folder}/view.sqlite"
        migrations.upgrade("view", url)
        status, text, run = self.ask(self.conf(url))
        self.assertEqual((200, '{"flavors":[]}'), (status, text.strip()), run)

    def test_a_database_that_does_not_answer(self):
        status, text, run = self.ask(self.conf("mysql+pymysql://u:hidden@127.0.0.1:1/view"))
        self.assertEqual(503, status, run)
        self.assertIn("computeFault", text)
        self.assertNotIn("hidden", run.stderr + run.stdout)

    def test_a_configuration_that_cannot_be_used(self):
        _status, _text, run = self.ask(self.file("[api]\nmax_limit = many\n"))
        self.assertEqual(2, run.returncode)
        self.assertSentence(run.stderr, "max_limit")


# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Figures: named well, bounded, read when asked, and the sum of all processes if these share."""

import os
import re
import subprocess
import sys
import tempfile
from unittest import mock

import testtools

from nova_cells.metrics import instruments, server

#: A figure may say which cell, host or job; never which server, request or user.
LABELS = {"route", "method", "status", "cell", "mode", "kind", "outcome", "service", "topic", "job",
          "shape", "verb", "state", "host", "database", "version"}


def lines(name):
    """What is told of a figure now, without the comments."""
    text = server.text().decode()
    return [line for line in text.splitlines() if re.match(rf"{name}(_total|_count)?[ {{]", line)]


class Table(testtools.TestCase):
    def test_names_and_help(self):
        names = [one.name for one in instruments.TABLE]
        self.assertEqual(sorted(set(names)), sorted(names))
        for one in instruments.TABLE:
            self.assertRegex(one.name, r"^nova_cells_[a-z_]+$")
            self.assertEqual(one.kind == "counter", one.name.endswith("_total"), one.name)
            self.assertTrue(one.help.endswith("."), one.name)

    def test_labels_are_words_that_the_code_knows(self):
        used = {label for one in instruments.TABLE for label in one.labels}
        self.assertEqual(set(), used - LABELS)

    def test_what_is_read_is_a_gauge(self):
        self.assertEqual(set(), {one.name for one in instruments.TABLE
                                 if one.read and one.kind != "gauge"})


class Counting(testtools.TestCase):
    def test_it_is_told(self):
        instruments.MESSAGES.inc("here", "Boot", "ok")
        instruments.MESSAGES.inc("here", "Boot", "ok")
        self.assertIn('nova_cells_messages_total{kind="Boot",outcome="ok",service="here"} 2.0',
                      lines("nova_cells_messages"))

    def test_more_series_than_anybody_wants_are_one(self):
        with mock.patch.object(instruments, "MOST", len(instruments.POISONED._children) + 2):
            for number in range(10):
                instruments.POISONED.inc(f"topic-{number}")
        told = [line for line in lines("nova_cells_messages_poisoned") if "topic-" in line]
        self.assertEqual(2, len(told), told)
        self.assertIn('nova_cells_messages_poisoned_total{topic="other"} 8.0',
                      lines("nova_cells_messages_poisoned"))

    def test_what_is_under_way_ends_also_by_an_error(self):
        def work():
            with instruments.UPLOADS.while_under_way("here"):
                self.assertIn('nova_cells_uploads_under_way{cell="here"} 1.0',
                              lines("nova_cells_uploads_under_way"))
                raise KeyError

        self.assertRaises(KeyError, work)
        self.assertIn('nova_cells_uploads_under_way{cell="here"} 0.0',
                      lines("nova_cells_uploads_under_way"))


class Watching(testtools.TestCase):
    def watch(self, read, **words):
        watched = instruments.watch(read, **words)
        self.addCleanup(watched.stop)
        return watched

    def test_it_is_read_when_somebody_asks_and_not_too_often(self):
        asked = []

        def read():
            asked.append(1)
            return [(instruments.OUTBOX, ("there",), len(asked))]
        self.watch(read, keep=3600.0)
        self.assertEqual([], asked)
        for _scrape in range(3):
            self.assertIn('nova_cells_outbox_length{cell="there"} 1.0',
                          lines("nova_cells_outbox_length"))
        self.assertEqual([1], asked)

    def test_what_cannot_be_read_is_left_out_and_the_rest_told(self):
        answers = [[(instruments.OUTBOX, ("was",), 7)]]
        self.watch(lambda: answers.pop(), keep=0.0)
        self.watch(lambda: [(instruments.OUTBOX, ("well",), 8)], keep=0.0)
        self.assertEqual(2, len(lines("nova_cells_outbox_length")))
        told = lines("nova_cells_outbox_length")
        self.assertEqual(['nova_cells_outbox_length{cell="well"} 8.0'], told)

    def test_it_is_not_read_any_more(self):
        watched = self.watch(lambda: [(instruments.INTENTS, ("gone",), 1)])
        watched.stop()
        self.assertEqual([], lines("nova_cells_intents"))

    def test_who_this_is(self):
        before = list(instruments._identity)
        self.addCleanup(instruments._identity.__setitem__, slice(None), before)
        instruments.identify("conductor", "1.2", "cell1", "h")
        self.assertEqual(
            ['nova_cells_info{cell="cell1",host="h",service="conductor",version="1.2"} 1.0'],
            lines("nova_cells_info"))


SHARING = """
import os, sys
from nova_cells.metrics import instruments, server
open(os.path.join(sys.argv[1], "counter_1.db"), "w").close()      # of an earlier life
instruments.share(sys.argv[1])
read, write = os.pipe()
children = []
for number in range(2):
    pid = os.fork()
    if not pid:
        instruments.MESSAGES.inc("worker", "Boot", "ok", by=number + 1)
        instruments.UPLOADS.set(5, "cell1")
        instruments.BREAKER.set(number, "cell1", "conductor")
        os.write(write, b".")
        if number:
            import time
            time.sleep(600)
        os._exit(0)
    children.append(pid)
os.read(read, 1), os.read(read, 1)
os.waitpid(children[0], 0)
instruments.watch(lambda: [(instruments.OUTBOX, ("cell1",), 3)])
print(server.text().decode())
os.kill(children[1], 9)
"""


class Sharing(testtools.TestCase):
    def test_whoever_is_asked_tells_the_sum(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        run = subprocess.run([sys.executable, "-c", SHARING, folder.name], capture_output=True,
                             text=True, timeout=120, env=dict(os.environ))
        self.assertEqual(0, run.returncode, run.stderr)
        for line in (
                'nova_cells_messages_total{kind="Boot",outcome="ok",service="worker"} 3.0',
                'nova_cells_uploads_under_way{cell="cell1"} 5.0',        # one of the two is gone
                'nova_cells_breaker_state{cell="cell1",topic="conductor"} 1.0',
                'nova_cells_outbox_length{cell="cell1"} 3.0'):
            self.assertIn(line, run.stdout.splitlines())

# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The journal outlives the process, a torn line and its own rewriting."""

import os
import tempfile

import testtools

from nova_cells.compute import journal
from nova_cells.domain import tasks


def entry(ticket: int, epoch: int = 1, **more: object) -> journal.Entry:
    return journal.Entry(epoch=epoch, ticket=ticket, verb="boot", **more)


class FileJournal(testtools.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.path = os.path.join(self.folder, "journal")

    def open(self):
        kept = journal.FileJournal(self.folder, sync=False)
        self.addCleanup(kept.close)
        return kept

    def test_what_was_written_is_there_after_a_restart(self):
        report = tasks.Report(server="s", epoch=1, ticket=2, host="h", result="done",
                              facts={"a": "b"})
        kept = self.open()
        kept.write("s", entry(1))
        kept.write("s", entry(2, outcome=report, steps=("reboot",)))
        again = self.open()
        self.assertEqual(entry(2, outcome=report, steps=("reboot",)), again.read("s"))
        self.assertIsNone(again.read("another"))

    def test_torn_last_line_is_as_if_never_begun(self):
        kept = self.open()
        kept.write("s", entry(1))
        kept.write("s", entry(2))
        size = os.path.getsize(self.path)
        line = size // 2
        for cut in range(1, line):
            with open(self.path, "rb") as file:
                whole = file.read()
            torn = os.path.join(self.folder, "torn")
            os.makedirs(torn, exist_ok=True)
            with open(os.path.join(torn, "journal"), "wb") as file:
                file.write(whole[:-cut])
            again = journal.FileJournal(torn, sync=False)
            again.close()
            # A cut that takes only the line's end leaves the entry whole.
            self.assertEqual(entry(2 if cut == 1 else 1), again.read("s"), cut)

    def test_what_is_written_after_a_torn_line_is_read(self):
        self.open().write("s", entry(1))
        with open(self.path, "ab") as file:
            file.write(b'"s" {"epoch":1,"tick')
        self.open().write("t", entry(5))
        again = self.open()
        self.assertEqual((entry(1), entry(5)), (again.read("s"), again.read("t")))

    def test_noise_is_passed_over(self):
        with open(self.path, "wb") as file:
            file.write(b"\xff\x00\n\n{}\n\"s\"\n\"s\" []\n")
        self.assertIsNone(self.open().read("s"))

    def test_it_is_written_anew_when_it_has_grown(self):
        self.patch(journal, "SNAPSHOT", 10)
        kept = self.open()
        for ticket in range(1, 200):
            kept.write(f"s{ticket % 3}", entry(ticket))
        with open(self.path, "rb") as file:
            self.assertLess(file.read().count(b"\n"), 30)
        again = self.open()
        self.assertEqual([198, 199, 197], [again.read(f"s{n}").ticket for n in range(3)])

# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What cannot start says why, in one line, and leaves what it found as it was."""

import os

from tests.functional import deployment


class Start(deployment.Deployed):
    def test_corrupt_databases(self):
        for name in ("view.sqlite", "cell-cell1.sqlite"):
            os.makedirs(self.state, exist_ok=True)
            path = os.path.join(self.state, name)
            with open(path, "wb") as file:
                file.write(b"this is no database " * 1000)
            code, _out, error = self.command(
                "standalone", "--virt", "fake", "--state-path", self.state, "--port", "0")
            self.assertEqual(1, code, error)
            self.assertSentence(error, name, "not a database")
            with open(path, "rb") as file:
                self.assertTrue(file.read().startswith(b"this is no database"))
            os.unlink(path)

    def test_two_cells_by_one_name(self):
        path = self.file(deployment.CONF.format(delay=0, instances=1, cells="cell1, cell1"))
        code, _out, error = self.command("standalone", "--config-file", path, "--virt", "fake",
                                         "--state-path", self.state, "--port", "0")
        self.assertEqual(2, code, error)
        self.assertSentence(error, "cell1")

# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The runner of the tests counts honestly: what failed, what crashed, what never ran."""

import subprocess
import sys
import tempfile
from pathlib import Path
from shutil import copy

import testtools

from tests.house import tree

GOOD = "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        pass\n"
BAD = GOOD.replace("pass", "self.fail('planted')")
SKIP = GOOD.replace("pass", "self.skipTest('planted')")
BROKEN = "import nothing_of_this_name\n" + GOOD


class Parts(testtools.TestCase):
    def run_parts(self, files, *words):
        """Exit code, closing line and tallies of tools/parts.py over a small tree of tests."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        root = Path(folder.name)
        (root / "tools").mkdir()
        copy(tree.ROOT / "tools" / "parts.py", root / "tools")
        copy(tree.ROOT / ".stestr.conf", root)
        for name, text in files.items():
            path = root / "tests" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            for package in (path.parent, root / "tests"):
                (package / "__init__.py").touch()
            path.write_text(text)
        run = subprocess.run(
            [sys.executable, "tools/parts.py", "--results", "results", *words],
            cwd=root,
            capture_output=True,
            text=True,
        )
        tallies = {path.stem: path.read_text().split() for path in root.glob("results/*.tally")}
        closing = [line for line in run.stdout.splitlines() if " passed, " in line][-1:]
        return run.returncode, closing, tallies

    def test_all_is_well(self):
        files = {"unit/test_a.py": GOOD, "laws/test_b.py": SKIP}
        code, closing, tallies = self.run_parts(files, "unit", "laws")
        self.assertEqual(0, code)
        self.assertEqual(["1 passed, 0 failed, 1 skipped"], closing)
        self.assertEqual({"unit": ["1", "0", "0"], "laws": ["0", "0", "1"]}, tallies)

    def test_failure(self):
        files = {"unit/test_a.py": GOOD, "unit/test_b.py": BAD}
        code, closing, _ = self.run_parts(files, "unit")
        self.assertEqual(1, code)
        self.assertEqual(["1 passed, 1 failed, 0 skipped"], closing)

    def test_a_module_that_cannot_be_imported_is_a_failure(self):
        files = {"unit/test_a.py": GOOD, "unit/test_b.py": BROKEN}
        code, _, tallies = self.run_parts(files, "unit")
        self.assertEqual(1, code)
        self.assertNotEqual("0", tallies["unit"][1])

    def test_nothing_ran(self):
        code, closing, _ = self.run_parts({"unit/notes.py": ""}, "unit")
        self.assertEqual(1, code)
        self.assertEqual(["0 passed, 0 failed, 0 skipped"], closing)

    def test_only_skipped_is_not_a_success(self):
        code, _, _ = self.run_parts({"unit/test_a.py": SKIP}, "unit")
        self.assertEqual(1, code)

    def test_what_matches(self):
        files = {"unit/test_a.py": GOOD, "laws/test_b.py": GOOD}
        code, closing, _ = self.run_parts(files, "unit", "laws", "--", "test_b")
        self.assertEqual(0, code)
        self.assertEqual(["1 passed, 0 failed, 0 skipped"], closing)


class Steps(testtools.TestCase):
    def run_steps(self, script):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        before = f"set -u; LOGS={folder.name}; STEP_HEARTBEAT=0.2; . tools/steps.sh; "
        return subprocess.run(
            ["bash", "-c", before + script],
            cwd=tree.ROOT,
            capture_output=True,
            text=True,
            timeout=20,
        )

    def test_a_failing_step_is_shown_and_fails(self):
        run = self.run_steps("planted() { echo why; return 7; }; step 'a b' planted")
        self.assertEqual(7, run.returncode)
        self.assertIn("| why", run.stdout)
        self.assertIn("FAILED (exit 7)", run.stdout)

    def test_a_long_step_shows_life(self):
        run = self.run_steps("slow() { echo working; sleep 1; }; step slow slow; step_times")
        self.assertEqual(0, run.returncode)
        self.assertIn("s  working", run.stdout)
        self.assertIn("slow                     done", run.stdout)

    def test_an_unknown_word_is_refused(self):
        for word in ("--fats", "fast"):
            run = subprocess.run(
                ["bash", "tests/run.sh", word], cwd=tree.ROOT, capture_output=True, text=True
            )
            self.assertEqual(2, run.returncode)
            self.assertIn(word, run.stderr)

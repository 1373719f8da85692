# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What stands in the files: no machine of ours, no index of packages, nothing cut off."""

import re

import testtools

from tests.house import tree

# Absolute paths of somebody's machine.  /opt/stack is where every DevStack lives.
MACHINE = re.compile(r"(?<![\w.$}~*:-])/(?:home|Users|work|opt(?!/stack\b))/\w[\w./-]*")
URL = re.compile(r"\w+://")
CONFLICT = re.compile(r"^(<{7} |>{7} |={7}$)", re.MULTILINE)
# Their words are not ours, or underlines that look like a conflict.
FOREIGN = {"LICENSE", "constraints.txt"}


class Text(testtools.TestCase):
    def found(self, pattern, suffixes=None):
        for path, text in tree.texts():
            if path.name in FOREIGN or suffixes and path.suffix not in suffixes:
                continue
            for match in pattern.finditer(text):
                line = text.count("\n", 0, match.start()) + 1
                yield f"{tree.short(path)}:{line} {match.group().strip()}"

    def test_no_path_of_one_machine(self):
        self.assertEqual([], list(self.found(MACHINE)))

    def test_such_a_path_would_be_seen(self):
        for parts in (("home", "joe", "x"), ("opt", "tool"), ("work", "x.py")):
            self.assertTrue(MACHINE.search("cd /" + "/".join(parts)))
        for text in ("/opt/stack/nova", "/v2.1/servers", "https://a.example/home/x", "$top/work"):
            self.assertIsNone(MACHINE.search(text))

    def test_no_conflict_was_left(self):
        self.assertEqual([], list(self.found(CONFLICT, {".py", ".sh", ".cfg", ".toml", ".ini"})))

    def test_packages_come_from_where_the_operator_says(self):
        """Requirements name packages and never the place they are fetched from."""
        for name in ("requirements.txt", "test-requirements.txt", "constraints.txt", "setup.cfg"):
            text = (tree.ROOT / name).read_text()
            self.assertEqual([], URL.findall(text), name)
            self.assertNotRegex(text, r"(?m)^\s*(-i|-f|--\S*(index|links)\S*)\b", name)

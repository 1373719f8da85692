# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""How the code is laid out: names, docstrings, sizes."""

import ast
import re

import testtools

from tests.house import size, tree


class Names(testtools.TestCase):
    def test_no_drawer_for_everything(self):
        """A module called utils or manager is one where nobody knows what belongs."""
        bad = re.compile(r"^(utils?|managers?|helpers?|misc)$")
        found = [
            tree.short(path)
            for path in tree.modules()
            if any(bad.match(part) for part in path.relative_to(tree.PACKAGE).with_suffix("").parts)
        ]
        self.assertEqual([], found)

    def test_migrations_do_not_shadow_alembic(self):
        self.assertFalse((tree.ROOT / "alembic" / "__init__.py").exists())

    def test_every_folder_of_tests_is_a_package(self):
        folders = {path.parent for path in tree.modules(tree.ROOT / "tests")}
        bare = [tree.short(folder) for folder in folders if not (folder / "__init__.py").exists()]
        self.assertEqual([], sorted(bare))

    def test_every_test_is_found(self):
        """stestr and pytest look for test_*.py only."""
        stray = []
        for path in tree.modules(tree.ROOT / "tests"):
            if path.name.startswith("test_"):
                continue
            for node in ast.walk(tree.parsed(path)):
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                    # Those are mixins, whose tests are inherited by classes elsewhere.
                    if path.parent.name != "conformance":
                        stray.append(f"{tree.short(path)}:{node.lineno}")
        self.assertEqual([], stray)


class Docstrings(testtools.TestCase):
    def test_every_module_says_what_it_is_for(self):
        silent = [
            tree.short(path)
            for path in tree.modules()
            if not (ast.get_docstring(tree.parsed(path)) or "").strip()
        ]
        self.assertEqual([], silent)


class Sizes(testtools.TestCase):
    """They are reported by ``python -m tests.house.size``; nothing here forbids."""

    def test_the_report_can_be_made(self):
        paths = list(tree.modules())
        self.assertIn(f"{len(paths)} modules", size.report(paths))

    def test_long_function_is_seen_and_its_docstring_is_not_counted(self):
        body = "\n".join(f"    x{n} = {n}" for n in range(size.FUNCTION_LINES))
        text = "\n".join(["    '''"] + ["    words"] * 50 + ["    '''"])
        for source, lines in (
            (f"def f():\n{body}\n", size.FUNCTION_LINES + 1),
            (f"def f():\n{text}\n    pass\n", 2),
        ):
            node = ast.parse(source).body[0]
            self.assertEqual(lines, size._lines(node))

# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Every option can be read about: those of files, of commands, of scripts."""

import ast
import importlib
import re

import testtools
from keystoneauth1 import loading

from tests.house import tree

# A branch of a case statement: --fast) or -h | --help)
CASE = re.compile(r"(?m)^\s*((?:[\w\"'*-]+\s*\|\s*)*--[\w-]+(?:=\*)?(?:\s*\|\s*[\w*=-]+)*)\)")
ENOUGH = 4  # words: less is the option's name once more


def options():
    """(group, option) of every option of the project, without those of keystoneauth."""
    foreign = {
        option.dest
        for option in loading.get_session_conf_options()
        + loading.get_auth_common_conf_options()
        + loading.get_auth_plugin_conf_options("password")
    }
    for group, found in importlib.import_module("nova_cells.conf").list_opts():
        for option in found:
            if option.dest not in foreign:
                yield str(getattr(group, "name", group) or "DEFAULT"), option


def arguments():
    """(place, names, keywords) of every call of add_argument in the package."""
    for path in tree.modules():
        for node in ast.walk(tree.parsed(path)):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument":
                names = [word.value for word in node.args if isinstance(word, ast.Constant)]
                words = {word.arg: word.value for word in node.keywords}
                yield f"{tree.short(path)}:{node.lineno}", names, words


def documents() -> str:
    """All that people read."""
    paths = [*tree.ROOT.glob("*.rst"), *(tree.ROOT / "doc").rglob("*.rst")]
    return "\n".join(path.read_text() for path in paths)


class Options(testtools.TestCase):
    def test_of_files(self):
        silent = [
            f"[{group}] {option.name}"
            for group, option in options()
            if len((option.help or "").split()) < ENOUGH
        ]
        self.assertEqual([], silent)

    def test_of_files_are_named_once(self):
        names = [(group, option.dest) for group, option in options()]
        self.assertEqual(sorted(set(names)), sorted(names))

    def test_of_commands(self):
        silent = [
            f"{place} {' '.join(map(str, names))}"
            for place, names, words in arguments()
            if "help" not in words
        ]
        self.assertEqual([], silent)

    def test_of_scripts(self):
        """A script's long options are those that its case statement takes."""
        text = documents()
        silent = []
        for path in tree.scripts():
            for line in CASE.findall(path.read_text()):
                for option in re.findall(r"--[a-z][\w-]*", line):
                    if not re.search(re.escape(option) + r"(?![\w-])", text):
                        silent.append(f"{tree.short(path)} {option}")
        self.assertEqual([], silent)

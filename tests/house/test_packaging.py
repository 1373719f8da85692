# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What is installed is what setup.cfg promises."""

import configparser
import importlib
import importlib.util
import re

import testtools
from packaging import requirements, version

from tests.house import tree


def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(tree.ROOT / "setup.cfg")
    return parser


def wanted(name: str) -> list[requirements.Requirement]:
    lines = (tree.ROOT / name).read_text().splitlines()
    words = (line.partition("#")[0].strip() for line in lines)
    return [requirements.Requirement(word) for word in words if word]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


class EntryPoints(testtools.TestCase):
    def test_each_leads_somewhere(self):
        """libvirt is imported lazily, so its driver loads without it."""
        lost = []
        for group, lines in setup()["entry_points"].items():
            for line in filter(None, lines.splitlines()):
                module, _, name = line.partition("=")[2].strip().partition(":")
                try:
                    getattr(importlib.import_module(module), name)
                except (ImportError, AttributeError) as wrong:
                    lost.append(f"{group}: {line.strip()}: {wrong}")
        self.assertEqual([], lost)


class Constraints(testtools.TestCase):
    def test_what_is_required_is_pinned_within_its_range(self):
        pins = {normal(pin.name): str(pin.specifier)[2:] for pin in wanted("constraints.txt")}
        extras = [
            requirements.Requirement(line.strip())
            for lines in setup()["extras"].values()
            for line in lines.split()
        ]
        asked = wanted("requirements.txt") + wanted("test-requirements.txt") + extras
        wrong = [
            f"{need} is pinned to {pins.get(normal(need.name))}"
            for need in asked
            if normal(need.name) not in pins
            or version.parse(pins[normal(need.name)]) not in need.specifier
        ]
        self.assertEqual([], wrong, "run tools/refresh-constraints.sh")

    def test_everything_is_pinned_exactly(self):
        for pin in wanted("constraints.txt"):
            self.assertRegex(str(pin.specifier), r"^==[\w.+!-]+$")

    def test_every_dependency_is_explained(self):
        text = (tree.ROOT / "doc" / "decisions" / "0001-dependencies.rst").read_text()
        words = {normal(word) for word in re.findall(r"[\w.-]*\w", text)}
        needs = {normal(need.name) for need in wanted("requirements.txt")}
        self.assertEqual(set(), needs - words)


class DataFiles(testtools.TestCase):
    def test_every_folder_is_there(self):
        for line in filter(None, setup()["files"]["data_files"].splitlines()):
            folder = tree.ROOT / line.partition("=")[2].strip().removesuffix("/*")
            self.assertTrue(any(folder.iterdir()), folder)

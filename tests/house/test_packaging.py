# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What is installed is what setup.cfg promises."""

import configparser
import importlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

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


class Wheel(testtools.TestCase):
    def test_holds_what_an_installed_service_needs(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        source, built = Path(folder.name, "source"), Path(folder.name, "built")
        for path in tree.files():
            target = source / path.relative_to(tree.ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        words = "-m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir".split()
        run = subprocess.run(
            [sys.executable, *words, str(built), "."],
            cwd=source,
            env={**os.environ, "PBR_VERSION": "0.0.1"},
            capture_output=True,
            text=True,
        )
        self.assertEqual(0, run.returncode, run.stdout + run.stderr)
        (wheel,) = built.glob("nova_cells-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            names = {name.partition(".data/data/")[2] or name for name in archive.namelist()}
        shipped = ("nova_cells/", "etc/nova-cells/", "alembic/")
        wanted = {tree.short(path) for path in tree.files()}
        wanted = {name for name in wanted if name.startswith(shipped)}
        wanted = {re.sub("^alembic/", "share/nova-cells/alembic/", name) for name in wanted}
        self.assertEqual(set(), wanted - names)
        self.assertEqual([], [name for name in names if name.startswith("tests/")])

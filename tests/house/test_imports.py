# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""Who may import whom: the contracts in setup.cfg hold, and each of them would notice."""

import configparser
import importlib.metadata
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import testtools

from tests.house import tree

PURE = {"msgspec", "os_traits", "os_resource_classes"}
TOUCHING = {"socket", "subprocess", "threading", "http", "urllib", "sqlite3", "ssl", "asyncio"}
# What is there with an extra of setup.cfg only, and imported where it is used.
EXTRAS = {"libvirt", "pycdlib", "numpy", "pymysql", "psycopg2"}

# One breach of each contract: the file, and the line that breaks it.
BREACHES = {
    "layers": ("rpc/loop.py", "import nova_cells.api"),
    "pure": ("domain/clocked.py", "import threading"),
    "compute-has-no-database": ("compute/peek.py", "import nova_cells.db.cell"),
    "top-never-reads-a-cell": ("collector/peek.py", "import nova_cells.db.cell"),
    "cell-never-reads-the-top": ("conductor/peek.py", "import nova_cells.db.view"),
    "one-bus": ("network/bus.py", "import oslo_messaging"),
    "one-sql": ("image/table.py", "import sqlalchemy.orm"),
    "one-hypervisor": ("virt/fake.py", "def f():\n    import libvirt"),
    "one-monkey": ("console/green.py", "from eventlet import patcher"),
    "one-meter": ("scheduler/meter.py", "from prometheus_client import core"),
}
ROOMS = (
    "cmd api collector conductor placement compute console metadata rpc db db/cell db/view virt"
    " selector virt/libvirt network volume image scheduler domain service context clock conf"
    " metrics"
).split()


def contracts() -> dict[str, str]:
    """The contracts of setup.cfg: key and name."""
    setup = configparser.ConfigParser()
    setup.read(tree.ROOT / "setup.cfg")
    head = "importlinter:contract:"
    return {key.removeprefix(head): setup[key]["name"] for key in setup if key.startswith(head)}


def lint(folder: Path) -> str:
    """What import-linter says of the package ``nova_cells`` in a folder."""
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    config = ["--no-cache", "--config", str(tree.ROOT / "setup.cfg")]
    run = subprocess.run(
        [sys.executable, "-c", code, *config], cwd=folder, capture_output=True, text=True
    )
    return run.stdout + run.stderr


class Contracts(testtools.TestCase):
    def house(self, *breaches):
        """A house of empty rooms, with what is planted in it."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        top = Path(folder.name) / "nova_cells"
        for room in ("", *ROOMS):
            (top / room).mkdir(parents=True, exist_ok=True)
            (top / room / "__init__.py").touch()
        for name, line in breaches:
            (top / name).write_text(line + "\n")
        return Path(folder.name)

    def assertVerdicts(self, verdict, text):
        for key, name in contracts().items():
            self.assertRegex(text, re.escape(name) + r"\s+" + verdict, f"{key}: {text}")

    def test_the_code_keeps_them(self):
        self.assertVerdicts("KEPT", lint(tree.ROOT))

    def test_empty_rooms_keep_them(self):
        self.assertVerdicts("KEPT", lint(self.house()))

    def test_each_notices_a_breach(self):
        self.assertEqual(set(BREACHES), set(contracts()))
        self.assertVerdicts("BROKEN", lint(self.house(*BREACHES.values())))

    def test_allowed_rooms_are_allowed(self):
        allowed = [
            ("rpc/bus.py", "import oslo_messaging"),
            ("db/cell/tables.py", "import sqlalchemy"),
            ("virt/libvirt/power.py", "import libvirt"),
            ("service/__init__.py", "import eventlet"),
            ("metrics/table.py", "import prometheus_client"),
        ]
        self.assertVerdicts("KEPT", lint(self.house(*allowed)))


class Pure(testtools.TestCase):
    """The contracts forbid by name; this says what is allowed, so that nothing new slips in."""

    def strangers(self, room, allowed):
        for path in tree.modules(tree.PACKAGE / room):
            for line, name in tree.imported(path):
                top = name.partition(".")[0]
                standard = top in sys.stdlib_module_names and top not in TOUCHING
                if not standard and top != "nova_cells" and top not in allowed:
                    yield f"{tree.short(path)}:{line} {name}"

    def test_domain(self):
        self.assertEqual([], list(self.strangers("domain", PURE)))

    def test_scheduler(self):
        self.assertEqual([], list(self.strangers("scheduler", PURE | {"numpy"})))


class Requirements(testtools.TestCase):
    def test_what_is_imported_is_required(self):
        """Another package may bring it today, and not tomorrow."""
        required = {
            normal(name)
            for name in re.findall(
                r"^([\w.-]+)", (tree.ROOT / "requirements.txt").read_text(), re.MULTILINE
            )
        }
        owners = importlib.metadata.packages_distributions()
        missing = []
        for path in tree.modules():
            for line, name in tree.imported(path):
                top = name.partition(".")[0]
                if top in sys.stdlib_module_names or top == "nova_cells" or top in EXTRAS:
                    continue
                if not required & {normal(owner) for owner in owners.get(top, [top])}:
                    missing.append(f"{tree.short(path)}:{line} {name}")
        self.assertEqual([], missing)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()

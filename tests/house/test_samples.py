# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The samples in etc/ are what the code says today."""

import configparser
import difflib
import importlib.metadata
import os
import re
import subprocess
import sys
import tempfile

import testtools

from tests.house import tree

# The samples hold options of these, so another release of one writes another sample.
SOURCES = (
    "oslo.config oslo.log oslo.messaging oslo.db oslo.policy oslo.middleware oslo.service"
    " keystonemiddleware"
)


def unpinned() -> list[str]:
    """The sources that are installed in another version than constraints.txt has."""
    pins = dict(re.findall(r"(?m)^([\w.-]+)==(\S+)$", (tree.ROOT / "constraints.txt").read_text()))
    return [name for name in SOURCES.split() if importlib.metadata.version(name) != pins[name]]


class Samples(testtools.TestCase):
    def assertInStep(self, config, module, remedy):
        if unpinned():
            self.skipTest(f"not the pinned release: {', '.join(unpinned())}")
        config = tree.ROOT / config
        parser = configparser.ConfigParser(strict=False)
        parser.read(config)
        sample = tree.ROOT / parser["DEFAULT"]["output_file"]
        handle, written = tempfile.mkstemp()
        os.close(handle)
        self.addCleanup(os.unlink, written)
        run = subprocess.run(
            [
                *(sys.executable, "-c", f"import sys; from {module}; sys.exit(main())"),
                *("--config-file", str(config), "--output-file", written),
            ],
            cwd=tree.ROOT,
            capture_output=True,
            text=True,
        )
        self.assertEqual(0, run.returncode, run.stderr)
        with open(written) as file:
            new = file.read().splitlines()
        old = sample.read_text().splitlines() if sample.exists() else []
        changes = list(difflib.unified_diff(old, new, "committed", "generated", lineterm="", n=0))
        self.assertEqual([], changes[:40], f"run: {remedy}")

    def test_configuration(self):
        self.assertInStep(
            "etc/oslo-config-generator/nova-cells.conf",
            "oslo_config.generator import main",
            "tox -e genconfig",
        )

    def test_policy(self):
        self.assertInStep(
            "etc/oslo-policy-generator/nova-cells.conf",
            "oslo_policy.generator import generate_sample as main",
            "tox -e genpolicy",
        )

    def test_no_machine_in_the_samples(self):
        """A default that is computed needs sample_default, or the sample differs everywhere."""
        for sample in (tree.ROOT / "etc" / "nova-cells").glob("*.sample"):
            self.assertNotIn(str(tree.ROOT), sample.read_text())
            self.assertNotIn(f" = {os.uname().nodename}\n", sample.read_text())

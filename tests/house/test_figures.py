# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""What is written about figures, and what is drawn of them, is what the code counts."""

import json
import re

import testtools

from nova_cells.metrics import instruments
from tests.house import figures, tree

DASHBOARD = tree.ROOT / "etc" / "grafana" / "nova-cells.json"


def known() -> set[str]:
    """Every name that a scrape may show."""
    names = set()
    for one in instruments.TABLE:
        ends = ("_bucket", "_count", "_sum") if one.kind == "histogram" else ("",)
        names |= {one.name + end for end in ends}
    return names


def named(text: str) -> set[str]:
    """Every figure of ours that a text names."""
    return set(re.findall(r"\bnova_cells_[a-z_]+\b", text)) - {"nova_cells_"}


class Document(testtools.TestCase):
    def test_the_table_is_in_step(self):
        text = figures.DOCUMENT.read_text()
        self.assertEqual(figures.document(text), text, "run: python -m tests.house.figures")

    def test_every_other_word_is_a_figure_too(self):
        text = figures.DOCUMENT.read_text()
        plain = {one.name for one in instruments.TABLE}
        self.assertEqual(set(), named(text) - known() - plain)


class Dashboard(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.drawn = json.loads(DASHBOARD.read_text())

    def expressions(self):
        for panel in self.drawn["panels"]:
            for target in panel.get("targets", ()):
                yield panel["title"], target["expr"]

    def test_it_draws_what_is_counted(self):
        for title, expression in self.expressions():
            found = named(expression)
            self.assertTrue(found, title)
            self.assertEqual(set(), found - known(), title)

    def test_it_groups_by_labels_that_the_figure_has(self):
        labels = {}
        for one in instruments.TABLE:
            for end in ("", "_bucket", "_count", "_sum"):
                labels[one.name + end] = {*one.labels, "le", "instance"}
        for title, expression in self.expressions():
            used = {word.strip() for group in re.findall(r"by \(([^)]*)\)", expression)
                    for word in group.split(",")}
            for name in named(expression):
                self.assertEqual(set(), used - labels[name], f"{title}: {name}")

    def test_it_belongs_to_nobodys_grafana(self):
        """One source, to be chosen; each panel has its own number and place."""
        self.assertIsNone(self.drawn["id"])
        numbers = [panel["id"] for panel in self.drawn["panels"]]
        self.assertEqual(sorted(set(numbers)), sorted(numbers))
        for panel in self.drawn["panels"]:
            if panel["type"] != "row":
                self.assertEqual("${source}", panel["datasource"]["uid"], panel["title"])

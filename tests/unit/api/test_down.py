# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The table of what happens while a cell is down: nothing is missing, the page says the same."""

import pathlib

import testtools

from nova_cells.api import compute, down
from nova_cells.api import orders as ordering
from nova_cells.domain import address, commands, errands, errors

#: What comes up, or is a part of something else: no command.
UP = {commands.Done, commands.Text, commands.Digests, commands.Resynced, commands.Verified,
      commands.CellFacts, commands.Command, commands.HostCommand, commands.Question,
      commands.Diagnosed, commands.ConsoleFound}


class Table(testtools.TestCase):
    def test_every_command_has_a_word(self):
        known = {cls for cls in vars(commands).values() if isinstance(cls, type)
                 and issubclass(cls, commands.Message) and cls is not commands.Message}
        self.assertEqual(known - UP, set(down.COMMANDS))
        self.assertLessEqual(set(down.COMMANDS.values()), set(down.ANSWERS))

    def test_what_is_kept_is_kept_and_the_rest_is_refused(self):
        """``Orders`` does what the table says of every command about a server."""
        for kind, word in down.COMMANDS.items():
            if not issubclass(kind, commands.Command) or kind is commands.Boot:
                continue
            more = {commands.Act: {"verb": "stop"}, commands.Lock: {"locked": True},
                    commands.ResetState: {"rest": "error"}, commands.ReadErrand: {"errand": "e"},
                    commands.Run: {"verb": "attach_volume", "errand": errands.Errand(
                        uuid="e", server="s", kind="volume")}}.get(kind, {})
            view = View()
            order = ordering.Order(to=address.Cell("c"), command=kind(
                op="o", server="s", epoch=1, **more))
            orders = ordering.Orders(view, None)
            if word == "keep":
                orders.lost(order, 0.0)
                self.assertEqual(["keep", "show_deleting"], view.did)
            else:
                self.assertRaises(errors.CellDown, orders.lost, order, 0.0)
                self.assertEqual([], view.did)
            self.assertEqual(word == "keep", down.kept(order.command))

    def test_the_page_is_made_of_the_table(self):
        page = pathlib.Path(__file__).parents[3] / "doc" / "howto" / "cell-down.rst"
        self.assertEqual(down.page(compute.actions()), page.read_text(),
                         "run: python -m nova_cells.api.down > doc/howto/cell-down.rst")


class View:
    """Writes down what is done to it."""

    def __init__(self):
        self.did = []
        self.intents = self.servers = self

    def write(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_why):
        return None

    def __getattr__(self, name):
        return lambda *_words, **_more: self.did.append(name)

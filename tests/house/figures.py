# Licensed under the Apache License, Version 2.0; see the file LICENSE.

"""The table of figures in doc/howto/metrics.rst, made from the table in the code.

``python -m tests.house.figures`` writes it anew.
"""

import textwrap

from nova_cells.metrics import instruments
from tests.house import tree

DOCUMENT = tree.ROOT / "doc" / "howto" / "metrics.rst"
BEGIN, END = ".. figures begin\n", ".. figures end\n"


def table() -> str:
    """All figures: name, kind, labels, what it is."""
    rows = [".. list-table::", "   :header-rows: 1", "   :widths: 34 10 16 40", "",
            "   * - figure", "     - kind", "     - labels", "     - what it is"]
    for one in instruments.TABLE:
        rows += [f"   * - ``{one.name}``", f"     - {one.kind}",
                 f"     - {', '.join(one.labels)}".rstrip()]
        rows += textwrap.wrap(one.help, 96, initial_indent="     - ", subsequent_indent="       ",
                              break_on_hyphens=False)
    return "\n".join(rows) + "\n"


def document(text: str) -> str:
    """The document with the table as it is now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    DOCUMENT.write_text(document(DOCUMENT.read_text()))

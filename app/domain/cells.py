"""Cells of CSV files that a spreadsheet opens: text from strangers neither leaves its cell nor becomes a formula.

The rule is OWASP's for CSV injection: a cell that begins with one of a few characters, full-width ones included, gets
an apostrophe before it. A cell that begins with apostrophes and then one of these gets another, so that nothing is lost
where the file is read again.
"""

import csv
import io
import re
from collections.abc import Iterable

_FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")


def quoted(text: str) -> str:
    """``text`` as a cell that is no formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def unquoted(cell: str) -> str:
    """What ``quoted`` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def line(values: Iterable[str | int | float | None], end: str = "\n") -> str:
    """One line of a CSV, text quoted; None is an empty cell."""
    out = io.StringIO()
    # Told to end lines by "\n" alone, the writer takes "\r" for nothing special, and readers break the line there.
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([quoted(value) if isinstance(value, str) else value for value in values])
    return out.getvalue().removesuffix("\r\n") + end

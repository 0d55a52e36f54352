"""``python -m report build RESULTS... --output DIR``: the Markdown report, with no framework installed.

Exit status 0; 2 where the page cannot be written, or a results file cannot be read: the page is of the others then.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from report.document import DocumentError, printable
from report.page import build


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m report", description="Reports from results files.")
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("build", help="write DIR/report.md from results files")
    command.add_argument("results", nargs="+", metavar="RESULTS")
    command.add_argument("--output", required=True, metavar="DIR")
    options = parser.parse_args(arguments)
    try:
        page, unread = build(options.results, options.output)
    except (DocumentError, OSError) as error:
        return _complain(str(error).splitlines())
    print(f"wrote {printable(page)}")
    return _complain(map(str, unread)) if unread else 0


def _complain(faults: Iterable[str]) -> int:
    for fault in faults:
        print(f"report: {fault}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())

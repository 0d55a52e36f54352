"""``python -m report build RESULTS... --output DIR``: the Markdown report, with no framework installed."""

from __future__ import annotations

import argparse
import sys

from report.document import DocumentError
from report.page import build


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m report", description="Reports from results files.")
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("build", help="write DIR/report.md from results files")
    command.add_argument("results", nargs="+", metavar="RESULTS")
    command.add_argument("--output", required=True, metavar="DIR")
    options = parser.parse_args(arguments)
    try:
        print(f"wrote {build(options.results, options.output)}")
    except (DocumentError, OSError) as error:
        print(f"report: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

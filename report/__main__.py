"""``python -m report``: what results files say, with no framework installed.

``build RESULTS... --output DIR`` writes the Markdown report, report.md, and its beginning as summary.md. The exit status is
0 where all is there;
1 where something is missing: an expected environment, a shard, the end of a run, or what was asked for and never judged;
2 where a results file cannot be read, and the report is made from the others, or where the report cannot be written, and the
earlier one stays.

``changes --before RESULTS... --after RESULTS... [--answers DIR]`` prints, as Markdown, which verdicts changed in each
environment. The exit status is
0 where nothing was lost;
1 where a verdict became red, a green check has no verdict any more, or something that was judged before is missing;
2 where a results file cannot be read, and the changes are those of the others, or where DIR cannot be written.

``schema`` prints the JSON schema of results files. Exit status 0.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from report.changes import changes, keep
from report.document import DocumentError, escaped, printable
from report.environments import NoResults, NotRun, gathered
from report.page import build
from report.schema import standard


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m report", description="Reports from results files.")
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("build", help="write DIR/report.md from results files")
    command.add_argument("results", nargs="+", metavar="RESULTS", help="results files, or folders of them")
    command.add_argument("--output", required=True, metavar="DIR")
    command.add_argument(
        "--expect", nargs="*", default=[], metavar="ENVIRONMENT", help="report an environment without results as missing"
    )
    command.set_defaults(run=_build)
    command = commands.add_parser("changes", help="print which verdicts changed")
    words = "the earlier results; of a folder that holds none, every red check counts as new"
    command.add_argument("--before", nargs="+", required=True, metavar="RESULTS", help=words)
    words = (
        "folder where this command keeps the last answer of each test; one without an answer in --before is compared with it"
    )
    command.add_argument("--answers", metavar="DIR", help=words)
    words = "report an environment as missing that has no results in --after, unless an empty file in --before says the same"
    command.add_argument("--expect", nargs="*", default=[], metavar="ENVIRONMENT", help=words)
    command.add_argument("--after", nargs="+", required=True, metavar="RESULTS", help="the later results")
    command.set_defaults(run=_changes)
    command = commands.add_parser("schema", help="print the JSON schema of results files")
    command.set_defaults(run=_schema)
    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # there are terminals without arrows
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except DocumentError as error:
        return _complain(str(error).splitlines())
    except OSError as error:
        return _complain([printable(f"{error.filename or 'standard output'}: {error.strerror}")])
    return status


def _build(options: argparse.Namespace) -> int:
    page, unread, lost = build(options.results, options.output, options.expect)
    print(f"wrote {printable(page)}")
    for words in lost:
        print(f"report: {printable(words)}", file=sys.stderr)
    return _complain(map(str, unread)) if unread else int(bool(lost))


def _changes(options: argparse.Namespace) -> int:
    kept = [options.answers] if options.answers and os.path.isdir(options.answers) else []
    (before, one), (answers, two), (after, three) = map(gathered, (options.before, kept, options.after))
    if options.answers and (nameless := [of.name for of in after if "environment" not in of.runs[0]]):
        names = ", ".join(nameless)
        raise DocumentError(
            printable(f"{names}: --answers takes results of tox environments, which have a name; this has none")
        )
    given = [*options.before, *options.after]
    files = len(given) == 2 and not any(map(os.path.isdir, given))
    if len(before) == len(after) == 1 and (files or not any("environment" in of.runs[0] for of in (*before, *after))):
        before = [dataclasses.replace(before[0], name=after[0].name)]  # two runs are compared, whatever their names
    # Before the first run there are no results, and that is no fault.
    unread = [error for error in (*one, *two) if not isinstance(error, (NoResults, NotRun))]
    unread += [error for error in three if not isinstance(error, NotRun)]
    known, missing = ([error.name for error in errors if isinstance(error, NotRun)] for errors in (one, three))
    lines, worse = changes(before, after, answers, [*options.expect, *missing], known)
    for line in [*(f"not read: {error}" for error in unread), *lines]:
        print(f"- {escaped(line)}")
    if options.answers:
        keep(after, answers, Path(options.answers))
    return _complain(map(str, unread)) if unread else int(worse)


def _schema(options: argparse.Namespace) -> int:
    print(json.dumps(standard(), indent=2))
    return 0


def _complain(faults: Iterable[str]) -> int:
    for fault in faults:
        print(f"report: {fault}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())

"""``python -m report``: what results files say, with no framework installed.

``build RESULTS... --output DIR`` writes pages for a browser, of which DIR/index.html is the first, and the same as Markdown:
report.md, and its beginning as summary.md. The exit status is
0 where all is there;
1 where something is missing: an expected environment, a shard, the end of a run, or what was asked for and never judged;
2 where a results file cannot be read, and the report is made from the others, or where the report cannot be written, and the
earlier one stays.

``changes --before RESULTS... --after RESULTS... [--answers DIR]`` prints, as Markdown, which verdicts changed in each
environment. The exit status is
0 where nothing was lost;
1 where a verdict became red, a green check has no verdict any more, or something that was judged before is missing;
2 where a results file cannot be read, and the changes are those of the others, or where DIR cannot be written.

``show RESULTS WORDS...`` prints one check in full; ``export csv`` and ``export vectors`` print all checks for a spreadsheet,
and all cases with their exact answers for programs in any language; ``badge RESULTS... --output DIR`` writes badge.svg and
badge.json. The exit status is 0, or 2 where a file cannot be read or no check, or more than one, is meant.

``schema`` prints the JSON schema of results files, ``schema vectors`` that of vectors. Exit status 0.
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
from report.environments import Environment, NoResults, NotRun, gathered
from report.exports import as_csv, badge, badge_svg, vectors, vectors_schema
from report.schema import standard
from report.show import NO_SCRIPT, found, script_of, shown
from report.writing import write


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m report", description="What results files say, with no framework installed."
    )
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("build", help="write pages for a browser, and the same as Markdown")
    command.add_argument("results", nargs="+", metavar="RESULTS", help="results files, or folders of them")
    command.add_argument("--output", required=True, metavar="DIR")
    command.add_argument(
        "--expect", nargs="*", default=[], metavar="ENVIRONMENT", help="report an environment without results as missing"
    )
    command.add_argument(
        "--force", action="store_true", help="overwrite files of the same names in DIR that are not of a report"
    )
    words = "the address under which runs are kept: each cell links to this run there, for ever, and to the newest answer"
    command.add_argument("--published", default="", metavar="URL", help=words)
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
    command = commands.add_parser("show", help="print one check in full, with a script that needs no part of this suite")
    command.add_argument("results", metavar="RESULTS", help="a results file, or a folder of them")
    words = "words that tell the check: backend, case, level, mode, dtype, test, or the beginning of its quantity"
    command.add_argument("words", nargs="+", metavar="WORD", help=words)
    command.add_argument("--script", action="store_true", help="print the script alone; run it only if you trust the results")
    command.set_defaults(run=_show)
    command = commands.add_parser("export", help="print all checks as CSV, or all cases with their exact answers as JSON")
    command.add_argument("what", choices=list(EXPORTS))
    command.add_argument("results", nargs="+", metavar="RESULTS", help="results files, or folders of them")
    command.set_defaults(run=_export)
    command = commands.add_parser("badge", help="write DIR/badge.svg, and DIR/badge.json for a service that draws badges")
    command.add_argument("results", nargs="+", metavar="RESULTS", help="results files, or folders of them")
    command.add_argument("--output", required=True, metavar="DIR")
    command.set_defaults(run=_badge)
    command = commands.add_parser("schema", help="print the JSON schema of results files, or that of vectors")
    command.add_argument("of", nargs="?", choices=list(SCHEMAS), default="results")
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
    from report.page import build  # which draws, and takes a second to load

    page, unread, lost = build(
        options.results, options.output, options.expect, published=options.published, force=options.force
    )
    for path in (page.with_name("index.html"), page):
        print(f"wrote {printable(path)}")
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


EXPORTS = {"csv": as_csv, "vectors": vectors}
SCHEMAS = {"results": standard, "vectors": vectors_schema}


def _show(options: argparse.Namespace) -> int:
    environments, unread = _read([options.results])
    environment, check = found(environments, options.words)
    text = script_of(environment, check) if options.script else shown(environment, check)
    if options.script and not text:
        raise DocumentError(NO_SCRIPT)
    print(text)
    return _complain(map(str, unread)) if unread else 0


def _export(options: argparse.Namespace) -> int:
    environments, unread = _read(options.results)
    sys.stdout.write(EXPORTS[options.what](environments))
    return _complain(map(str, unread)) if unread else 0


def _badge(options: argparse.Namespace) -> int:
    environments, unread = _read(options.results)
    words, folder = badge(environments), Path(options.output)
    write([(folder / "badge.svg", badge_svg(words)), (folder / "badge.json", json.dumps(words) + "\n")])
    print(f"wrote {printable(folder / 'badge.svg')}")
    return _complain(map(str, unread)) if unread else 0


def _read(paths: list[str]) -> tuple[list[Environment], list[DocumentError]]:
    """Return the environments that can be read. Raises DocumentError where there is none."""
    environments, unread = gathered(paths)
    if not environments:
        raise DocumentError("\n".join(map(str, unread)))
    return environments, unread


def _schema(options: argparse.Namespace) -> int:
    print(json.dumps(SCHEMAS[options.of](), indent=2))
    return 0


def _complain(faults: Iterable[str]) -> int:
    for fault in faults:
        print(f"report: {fault}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())

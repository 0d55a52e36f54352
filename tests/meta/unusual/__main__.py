"""Judge all unusual adapters, or some, on all cases: ``python -m tests.meta.unusual [--adapter NAME] [OPTIONS]``.

Further options go to pytest: ``--case nand``, ``--dtype float64``, ``--nodes``, ``--long``, ``-n 2``. It prints the checks and
the numbers judged of each adapter and, in full, every check that is red: a false alarm. The exit status is 1 if there is any.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import backends
from report.document import Record
from report.table import is_red
from tests.meta import CACHE
from tests.meta.unusual import Unusual, unusual

ROOT = Path(__file__).parents[3]
# Adapters judged in one run: so many processes stand at the same time.
PART = 8


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.meta.unusual", description="False alarms on sound adapters.")
    parser.add_argument("--adapter", action="append", default=[], metavar="NAME", help="only torch.Jacfwd, say; repeatable")
    options, further = parser.parse_known_args(arguments)
    known = {each.name: each for each in unusual()}
    if unknown := set(options.adapter) - set(known):
        parser.error(f"no adapter is called {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    chosen = [known[name] for name in options.adapter or known]
    gone = {each.framework: reason for each in chosen if (reason := backends.missing(each.framework))}
    there = [each for each in chosen if each.framework not in gone]
    alarms = counted = numbers = 0
    for start in range(0, len(there), PART):
        part = there[start : start + PART]
        checks = judged(part, further)
        for each in part:
            mine = [check for check in checks if check["backend"] == each.adapter]
            red = [check for check in mine if is_red(check)]
            entries = sum(check.get("entries", 0) for check in mine)
            print(f"{each.name}: {len(mine)} checks, {entries} numbers judged, {len(red)} alarms", flush=True)
            for check in red:
                where = " ".join(check[key] for key in ("level", "dtype", "case", "quantity"))
                print(f"  {where}: {check['verdict']}: {check['message']}", flush=True)
            alarms, counted, numbers = alarms + len(red), counted + len(mine), numbers + entries
    print(f"{len(there)} adapters, {counted} checks, {numbers} numbers judged, {alarms} alarms")
    print("\n".join(f"not judged: {framework}, {reason}" for framework, reason in gone.items()))
    return 1 if alarms else 0


def judged(adapters: list[Unusual], further: list[str]) -> list[Record]:
    """Run the conformance tests over ``adapters`` and return their checks."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.json"
        command = [sys.executable, "-m", "pytest", "tests", "--ignore=tests/meta", "-q", *CACHE, "--tb=no"]
        command += [f"--results={results}", *(word for each in adapters for word in ("--backend", each.adapter)), *further]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):
            raise RuntimeError(f"the run ended with status {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return [record for record in json.loads(results.read_text())["records"] if record["kind"] == "check"]


if __name__ == "__main__":
    sys.exit(main())

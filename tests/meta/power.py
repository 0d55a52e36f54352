"""The kill matrix: every planted fault on every case, and who catches it.

``python -m tests.meta.power`` runs the conformance tests over the fleet, a part of it at a time, beside the sound adapters
that the faulty ones are made from, writes what was caught to results/power.json as it goes, and prints the score. A fault is
visible on a case if any bit or verdict of it differs from that of the sound adapter.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import backends
from report.document import Record, of_kind
from report.power import EXCEPTION, SUITE, false_alarms, matrix, score, survivors
from report.table import is_red
from report.terminal import drawn
from report.writing import ResultsFile
from runner.recording import describe_run
from tests.meta import CACHE
from tests.meta.fleet import Fault, fleet
from vocabulary.cell import CONTRACT
from vocabulary.words import DEVIATES

ROOT = Path(__file__).parents[2]
# Faulty adapters judged in one run: their records are read at once.
PART = 12
# Tests that catch, by what they judge; whatever belongs to no case is the contract.
CATCHERS = {
    "loss": "loss", "prediction": "loss", "gradient": "gradient", "each step": "step", "goal": "goal",
    "printed figures": "figures", "repeatable": "contract", "trace": "trace",
}  # fmt: skip

Key = tuple[str, str]
Checks = dict[tuple[str, ...], Record]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.meta.power", description="The kill matrix of the fleet.")
    parser.add_argument("--results", default="results/power.json", metavar="FILE")
    parser.add_argument("--fault", action="append", default=[], metavar="NAME", help="only this fault; repeatable")
    parser.add_argument("--against", action="store_true", help="also run other tools on the same faults")
    options, further = parser.parse_known_args(arguments)
    faults = [fault for fault in fleet() if not options.fault or fault.name in options.fault]
    if unknown := set(options.fault) - {fault.name for fault in faults}:
        parser.error(f"no fault is called {', '.join(sorted(unknown))}; there are {', '.join(f.name for f in fleet())}")
    gone = {fault.sound: reason for fault in faults if (reason := backends.missing(fault.sound))}
    faults = [fault for fault in faults if fault.sound not in gone]
    try:
        file = ResultsFile(options.results)
        file.begin(describe_run())
    except OSError as error:
        parser.error(f"--results {options.results} cannot be written: {error.strerror}")
    records: list[Record] = []
    for record in measured(faults, further, against=options.against):
        records.append(record)
        file.add(record)
    file.close(complete=True)
    for table in [matrix(records), *score(records)]:
        print(drawn(table))
    print("\n".join([*false_alarms(records), "survivors:", *(survivors(records) or ["none"])]))
    for name, words in gone.items():
        print(f"not judged: the faults of {name}, which cannot be imported: {words}", file=sys.stderr)
    ours = (kill for kill in of_kind(records, "kill") if kill["judge"] == SUITE)
    if file.fault:
        print(f"{file.path} is not complete: {file.fault}; it holds {file.kept}", file=sys.stderr)
        return 1
    return 1 if gone or any(not kill["visible"] and kill["caught"] for kill in ours) else 0


def measured(faults: list[Fault], further: list[str], *, against: bool) -> Iterator[Record]:
    """Yield the faults, and then what became of each of them, part by part."""
    for fault in faults:
        yield {
            "kind": "fault", "name": fault.name, "adapter": fault.adapter, "sound": fault.sound, "family": fault.family,
            "title": fault.title,
        }  # fmt: skip
    for start in range(0, len(faults), PART):
        part = faults[start : start + PART]
        sound = list(dict.fromkeys(fault.sound for fault in part))
        checks = judged([*sound, *(fault.adapter for fault in part)], ["--nodes", *further])
        for name in sound:
            yield from kills(name, checks[name], checks[name])
        for fault in part:
            yield from kills(fault.name, checks[fault.adapter], checks[fault.sound])
        print(f"{start + len(part)} of {len(faults)} faults", file=sys.stderr, flush=True)
    if against:
        os.environ |= backends.SETTINGS | os.environ  # which the frameworks read when they are imported
        from tests.meta.rivals import compared

        yield from compared(faults)


def judged(names: list[str], further: list[str]) -> dict[str, dict[Key, Checks]]:
    """Run the conformance tests; return the checks of each backend by case and dtype, and then by what they judge."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.json"
        command = [sys.executable, "-m", "pytest", "tests", "--ignore=tests/meta", "-q", *CACHE, "--tb=no"]
        command += [f"--results={results}", *(word for name in names for word in ("--backend", name)), *further]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):
            raise RuntimeError(f"the run ended with status {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        document = json.loads(results.read_text())
        if not document["complete"]:  # a check that is not there would pass for one that a fault has changed
            raise RuntimeError(f"the run has no complete results: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return by_cell(document, names)


def by_cell(document: Record, names: list[str]) -> dict[str, dict[Key, Checks]]:
    """Return the checks of the backends ``names`` by case and dtype, and then by what they judge."""
    found: dict[str, dict[Key, Checks]] = {name: {} for name in names}
    for check in of_kind(document["records"], "check"):
        cell = found[check["backend"]].setdefault((check["case"], check["dtype"]), {})
        cell[check["level"], check["mode"], check["test"], check["quantity"]] = check
    return found


def kills(name: str, faulty: dict[Key, Checks], sound: dict[Key, Checks]) -> Iterator[Record]:
    """Compare the checks of a faulty adapter with those of the sound one, case by case."""
    for case, dtype in {**sound, **faulty}:
        checks, beside = faulty.get((case, dtype), {}), sound.get((case, dtype), {})
        changed = {key: check for key, check in checks.items() if print_of(check) != print_of(beside.get(key))}
        changed |= {key: check for key, check in beside.items() if key not in checks}
        red = [check for check in checks.values() if is_red(check)]
        caught = sorted({catcher(check) for check in red})
        yield {
            "kind": "kill", "judge": SUITE, "fault": name, "case": case, "dtype": dtype, "visible": bool(changed),
            "caught": caught, "note": "" if caught else reason(changed, beside),
        }  # fmt: skip


def catcher(check: Record) -> str:
    """What catches a fault: a verdict on what a test judges, or that the adapter raised, died or hung."""
    if check["verdict"] != DEVIATES:
        return EXCEPTION
    return "contract" if check["case"] == CONTRACT else CATCHERS.get(check["test"], check["test"])


def print_of(check: Record | None) -> tuple[str, ...] | None:
    """What of a check shows that something has changed."""
    return check and (check["verdict"], check.get("bits", ""))


def reason(changed: Checks, sound: Checks) -> str:
    """Say how far the changed numbers stand from the truth, in parts of what rounding explains."""
    parts = []
    for key, check in changed.items():
        if "share" in check:
            before = float.fromhex(sound[key].get("share", "0x0.0p+0")) if key in sound else 0.0
            parts.append((float.fromhex(check["share"]), before, check["quantity"]))
    if not parts:
        return "changes only what gives no verdict" if changed else ""
    share, before, quantity = max(parts)
    return f"inside the bound: the worst error, of {quantity}, uses {share:.0%} of it, and {before:.0%} without the fault"


if __name__ == "__main__":
    sys.exit(main())

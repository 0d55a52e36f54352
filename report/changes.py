"""What changed between two runs of the same environments, for example of last night and of tonight."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from report.environments import Environment, Test
from report.ledger import Release, changed, named, red, released, step, unpaired
from report.schema import version
from report.table import SILENT, verdict
from report.writing import write


def changes(
    before: Sequence[Environment],
    after: Sequence[Environment],
    answers: Sequence[Environment] = (),
    expected: Iterable[str] = (),
    known: Iterable[str] = (),
) -> tuple[list[str], bool]:
    """Return a line for each change in each environment, and whether any of them is a loss.

    A test is compared with its result in ``before``. If it is missing there or gave no answer, and gives one in ``after``, it
    is compared with its last answer, in ``answers``. What is missing in both runs is not reported again. Environments that are
    ``expected`` and absent from ``after`` are reported, unless they are ``known`` to have been absent before.

    Losses are: a verdict that became red; a green verdict that is no longer green, unless a declaration explains it; and
    whatever was judged before and is not judged now (an environment, a part of one, a backend or a check). New checks are
    reported where they are red.
    """
    last = {environment.name: environment for environment in before}
    older = {environment.name: environment for environment in answers}
    absent = sorted((last.keys() | ({*expected} - {*known})) - {environment.name for environment in after})
    lines = [f"{name}: there are no results of it" for name in absent]
    worse = bool(absent)
    for environment in after:
        old = last.get(environment.name)
        found, lost = _compared(old, older.get(environment.name), environment)
        fresh = [words for words in environment.lost if not old or words not in old.lost]
        lines += [f"{environment.name}: {line}" for line in (*fresh, *found)]
        worse |= bool(fresh) or lost
    return lines, worse


def keep(environments: Iterable[Environment], answers: Iterable[Environment], folder: Path) -> None:
    """Write the last answer of each test to ``folder``, one file an environment. The next run gets them as ``answers``.

    The last answer is the one in ``environments``. Where a test is lost or gave no answer there, it is the older one in
    ``answers``. Tests that the run was no longer asked for are dropped, and files of earlier calls that cannot be read removed.
    """
    older = {environment.name: environment for environment in answers}
    write((_place(folder, environment.name), _last(environment, older.get(environment.name))) for environment in environments)
    stay = {_place(folder, environment.name) for environment in (*environments, *older.values())}
    for path in folder.glob("*.json"):
        if re.fullmatch("[0-9a-f]{64}", path.stem) and path not in stay:
            path.unlink()


def _last(environment: Environment, older: Environment | None) -> str:
    """Return a document of the last answers of an environment."""
    checks = []
    known = {one.backend: one for one in released(older)} if older else {}
    for now in released(environment):
        ours, silent = _tests(now)
        old = known.pop(now.backend, None)
        answered = _tests(old)[0] if old else set()
        carried = answered & silent | (answered - ours if environment.lost else set())
        checks += [check for key, check in now.checks.items() if key.whole_test not in carried]
        checks += [check for key, check in old.checks.items() if key.whole_test in carried] if old else []
    if environment.lost:
        checks += [check for old in known.values() for check in old.checks.values()]
    run = {name: fact for name, fact in environment.runs[0].items() if name != "shard"}
    return json.dumps({"schema": version(), "run": run, "records": checks, "complete": True})


def _place(folder: Path, name: str) -> Path:
    """The file of an environment, whatever a file from elsewhere calls it."""
    return folder / f"{hashlib.sha256(name.encode(errors='backslashreplace')).hexdigest()}.json"


def _compared(before: Environment | None, answers: Environment | None, after: Environment) -> tuple[list[str], bool]:
    """Return a line for each difference, the gravest first, and whether any of them is a loss."""
    olds, older = ({one.backend: one for one in released(place)} if place else {} for place in (before, answers))
    # After a run that was lost in part, a whole one should have all that there was before that.
    back = not before or bool(before.lost and not after.lost)
    judged = olds.keys() | (older.keys() if back else set())
    verdicts: list[tuple[bool, str]] = []
    news: list[str] = []
    gone = [f"{backend} was judged before, and is not now" for backend in sorted(judged - after.checks.keys())]
    for now in released(after):
        seen: set[Test] = set()
        for known, tests in _references(olds.get(now.backend), older.get(now.backend), now, back=back):
            one = step(_of(known, tests), _of(now, tests))
            title = one.title if known is olds.get(now.backend) else f"{now.version}, since its last answer"
            verdicts += [(loss, f"{now.backend} {title}: {line}") for loss, line in changed(one)]
            gone += [f"{now.backend} {title}: {line}" for line in unpaired(dataclasses.replace(one, new=[]))]
            news += [f"{now.backend} {now.version}: {line}" for line in red(one.new)]
            seen |= tests
        new = [check for key, check in now.checks.items() if key.whole_test not in seen]
        news += [f"{now.backend} {now.version}: {line}" for line in red(new)]
    verdicts.sort(key=lambda found: not found[0])
    lines = [*gone, *named(news), *named([line for _, line in verdicts])]
    return lines, bool(gone or news) or any(loss for loss, _ in verdicts)


def _references(old: Release | None, answer: Release | None, now: Release, *, back: bool) -> list[tuple[Release, set[Test]]]:
    """Return what ``now`` is compared with, and in which tests: the last results, or older ones where the last are silent."""
    (ours, silent), (last, mute), (every, _) = (_tests(one) if one else (set(), set()) for one in (now, old, answer))
    older = every & (((every if back else ours) - last) | (mute - silent))
    return [(release, tests) for release, tests in ((old, last - older), (answer, older)) if release and tests]


def _tests(release: Release) -> tuple[set[Test], set[Test]]:
    """Return the tests of a release, and those that gave no answer."""
    silent = {key.whole_test for key, check in release.checks.items() if verdict(check) in SILENT}
    return {key.whole_test for key in release.checks}, silent


def _of(release: Release, tests: set[Test]) -> Release:
    return dataclasses.replace(release, checks={key: check for key, check in release.checks.items() if key.whole_test in tests})

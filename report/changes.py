"""What changed between two runs of the same environments, as from one night to the next."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

from report.environments import Environment
from report.ledger import Key, Release, changed, named, red, released, step, unpaired
from report.table import SILENT, verdict


def changes(
    before: Sequence[Environment],
    after: Sequence[Environment],
    whole: Sequence[Environment] = (),
    expected: Iterable[str] = (),
    known: Iterable[str] = (),
) -> tuple[list[str], bool]:
    """Return the changed verdicts of each environment, whatever versions it holds, and whether any of them is a loss.

    A test is compared with what it was before; one that was lost then or gave no answer, and does now, with ``whole``: older
    results, of which nothing was lost. What was lost before too is no news. ``expected`` are environments that ought to be
    there, ``known`` those of which it is known that they were not there before.

    A loss is a verdict that became red, or that was green and is so no more without a declaration; and all that was judged
    before and is not now: an environment, a part of it, a backend or a check. What is new is said where it is red.
    """
    last = {environment.name: environment for environment in before}
    complete = {environment.name: environment for environment in whole}
    absent = sorted({*last, *expected} - {*known} - {environment.name for environment in after})
    lines = [f"{name}: there are no results of it" for name in absent]
    worse = bool(absent)
    for environment in after:
        old = last.get(environment.name)
        found, lost = _compared(old, complete.get(environment.name), environment)
        fresh = [words for words in environment.lost if not old or words not in old.lost]
        lines += [f"{environment.name}: {line}" for line in (*fresh, *found)]
        worse |= bool(fresh) or lost
    return lines, worse


def keep(environments: Iterable[Environment], folder: Path) -> None:
    """Copy to ``folder``, in place of older ones, the results of which nothing was lost and every test gave an answer."""
    for environment in environments:
        silent = any(verdict(check) in SILENT for checks in environment.checks.values() for check in checks)
        if silent or environment.lost:
            continue
        place = folder / f"results-{quote(environment.name, safe='')}"  # a name from a file may be ".." or a path
        if place.exists():
            shutil.rmtree(place)
        place.mkdir(parents=True)
        for number, file in enumerate(environment.files):
            shutil.copyfile(file, place / f"{number}.json")


def _compared(before: Environment | None, whole: Environment | None, after: Environment) -> tuple[list[str], bool]:
    """Return what is different, the gravest first, and whether any of it is a loss."""
    olds, wholes = ({one.backend: one for one in released(place)} if place else {} for place in (before, whole))
    back = not before or bool(before.lost and not after.lost)  # then all that there was should be there again
    judged = olds.keys() | (wholes.keys() if back else set())
    verdicts: list[tuple[bool, str]] = []
    news: list[str] = []
    gone = [f"{backend} was judged before, and is not now" for backend in sorted(judged - after.checks.keys())]
    for now in released(after):
        seen: set[Key] = set()
        for known, tests in _references(olds.get(now.backend), wholes.get(now.backend), now, back=back):
            one = step(_of(known, tests), _of(now, tests))
            verdicts += [(loss, f"{now.backend} {one.title}: {line}") for loss, line in changed(one)]
            gone += [f"{now.backend} {one.title}: {line}" for line in unpaired(dataclasses.replace(one, new=[]))]
            news += [f"{now.backend} {now.version}: {line}" for line in red(one.new)]
            seen |= tests
        new = [check for key, check in now.checks.items() if key[:-1] not in seen]
        news += [f"{now.backend} {now.version}: {line}" for line in red(new)]
    verdicts.sort(key=lambda found: not found[0])
    lines = [*gone, *named(news), *named([line for _, line in verdicts])]
    return lines, bool(gone or news) or any(loss for loss, _ in verdicts)


def _references(old: Release | None, full: Release | None, now: Release, *, back: bool) -> list[tuple[Release, set[Key]]]:
    """Return what ``now`` is compared with, and in which tests: the last results, or older ones where those say nothing."""
    (ours, silent), (last, mute), (all_, _) = (_tests(one) if one else (set(), set()) for one in (now, old, full))
    older = all_ & (((all_ if back else ours) - last) | (mute - silent))
    return [(release, tests) for release, tests in ((old, last - older), (full, older)) if release and tests]


def _tests(release: Release) -> tuple[set[Key], set[Key]]:
    """Return the tests of a release, and those that gave no answer."""
    silent = {key[:-1] for key, check in release.checks.items() if verdict(check) in SILENT}
    return {key[:-1] for key in release.checks}, silent


def _of(release: Release, tests: set[Key]) -> Release:
    return dataclasses.replace(release, checks={key: check for key, check in release.checks.items() if key[:-1] in tests})

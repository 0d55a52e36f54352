"""What changed between two runs of the same environments, as from one night to the next."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from report.environments import Environment
from report.ledger import changed, named, red, released, step, unpaired


def changes(
    before: Sequence[Environment], after: Sequence[Environment], whole: Sequence[Environment] = (), expected: Iterable[str] = ()
) -> tuple[list[str], bool]:
    """Return the changed verdicts of each environment, whatever versions it holds, and whether any of them is a loss.

    Where a part of an environment was lost before, and is there now, it is compared with ``whole``: older results, of which
    nothing was lost. What was lost before too is no news. ``expected`` are environments that ought to be there; without any
    results before, those that are not are news.

    A loss is a verdict that became red, or that was green and is so no more without a declaration; and all that was judged
    before and is not now: an environment, a part of it, a backend or a check. What is new is said where it is red.
    """
    if len(before) == len(after) == 1 and not any("environment" in one.runs[0] for one in (*before, *after)):
        before = [dataclasses.replace(before[0], name=after[0].name)]  # two files are compared, whatever their names
    last = {environment.name: environment for environment in before}
    complete = {environment.name: environment for environment in whole}
    absent = sorted((last.keys() or {*expected}) - {environment.name for environment in after})
    lines = [f"{name}: there are no results of it" for name in absent]
    worse = bool(absent)
    for environment in after:
        old = last.get(environment.name)
        known = old if old and (environment.lost or not old.lost) else complete.get(environment.name, old)
        found, lost = _compared(known, environment)
        fresh = [words for words in environment.lost if not old or words not in old.lost]
        lines += [f"{environment.name}: {line}" for line in (*fresh, *found)]
        worse |= bool(fresh) or lost
    return lines, worse


def _compared(before: Environment | None, after: Environment) -> tuple[list[str], bool]:
    """Return what is different, the gravest first, and whether any of it is a loss."""
    olds = {one.backend: one for one in released(before)} if before else {}
    verdicts: list[tuple[bool, str]] = []
    news: list[str] = []
    gone = [f"{backend} was judged before, and is not now" for backend in sorted(olds.keys() - after.checks.keys())]
    for now in released(after):
        if old := olds.get(now.backend):
            one = step(old, now)
            verdicts += [(loss, f"{now.backend} {one.title}: {line}") for loss, line in changed(one)]
            gone += [f"{now.backend} {one.title}: {line}" for line in unpaired(dataclasses.replace(one, new=[]))]
            new = one.new
        else:
            new = [*now.checks.values()]
        news += [f"{now.backend} {now.version}: {line}" for line in red(new)]
    verdicts.sort(key=lambda found: not found[0])
    lines = [*gone, *named(news), *named([line for _, line in verdicts])]
    return lines, bool(gone or news) or any(loss for loss, _ in verdicts)

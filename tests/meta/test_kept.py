"""A judgement that is kept is the one that would be made: whatever it depends on is in its key."""

import dataclasses
import shutil

import numpy as np
import pytest

import cases
from backends.base import Deviation
from backends.numpy import Numpy
from backends.transport.engine import Engine
from oracle.judge import Oracle, Steps
from oracle.kept import Kept, _checksum, key_of
from runner.processes import training
from tests.meta.declaring import NONE
from vocabulary.rules import Optimizer
from vocabulary.words import OPTIMIZER_DTYPE

NAND = cases.builtin()["nand"]
PROGRAM = training(NAND, "float64")


@pytest.fixture(scope="module")
def path():
    """Return a run of numpy's."""
    return Engine(Numpy()).path(PROGRAM)


class Counting(Kept):
    """Counts the judgements that are made."""

    made = 0

    def get(self, key, judge):
        def counted():
            self.made += 1
            return judge()

        return super().get(key, counted)


def judge(kept, path, formula=NAND.loss, dtype="float64", program=PROGRAM, conventions=None, deviations=(), direct=False):
    points = [{name: array[k] for name, array in path.before.items()} for k in range(len(path.losses))]
    results = {"value": list(path.losses)} | {f"gradient {name}": list(array) for name, array in path.gradients.items()}
    results |= {f"updated {name}": list(array) for name, array in path.after.items()}
    steps = Steps.of(program, conventions or {})
    oracle = Oracle(formula, program.data, dtype, deviations, steps, direct=direct, kept=kept)
    return {quantity: repr(judgement) for quantity, judgement in oracle.judge(points, results, row="step").items()}


def changed(arrays):
    """Return the same with one bit of the last number of one array changed."""
    arrays = {name: array.copy() for name, array in arrays.items()}
    last = next(reversed(arrays.values()))
    last.flat[-1] = np.nextafter(last.flat[-1], np.inf)
    return arrays


def doubled(ops, params, data):
    return NAND.loss(ops, params, data) * 2


OTHER = {
    "loss": lambda path: {"path": dataclasses.replace(path, losses=changed({"": path.losses})[""])},
    "gradient": lambda path: {"path": dataclasses.replace(path, gradients=changed(path.gradients))},
    "updated": lambda path: {"path": dataclasses.replace(path, after=changed(path.after))},
    "point": lambda path: {"path": dataclasses.replace(path, before=changed(path.before))},
    "data": lambda path: {"program": dataclasses.replace(PROGRAM, data=changed(PROGRAM.data))},
    "formula": lambda path: {"formula": doubled},
    "closure": lambda path: {"formula": lambda ops, params, data, path=path: NAND.loss(ops, params, data)},
    "dtype": lambda path: {"dtype": "float32"},
    "direct": lambda path: {"direct": True},
    "rate": lambda path: {"program": dataclasses.replace(PROGRAM, optimizer=Optimizer("sgd", 0.25))},
    "rule": lambda path: {"program": dataclasses.replace(PROGRAM, optimizer=Optimizer("momentum", 1.0, momentum=0.5))},
    "deviation": lambda path: {
        "program": dataclasses.replace(PROGRAM, level="optimizer"),
        "deviations": [
            Deviation(OPTIMIZER_DTYPE, ("float64",), **NONE, passes_through="float32", values=("weights",), rules=("sgd",))
        ],
    },
}


@pytest.mark.parametrize("folder", [False, True], ids=["in memory", "in a folder"])
def test_the_same_is_judged_once(path, folder, tmp_path):
    """By the same process, and by another that shares the folder; with the same judgements."""
    kept = Counting(tmp_path if folder else None)
    first, again = judge(kept, path), judge(kept, path)
    assert first == again == judge(None, path)
    assert kept.made == 1
    other = Counting(tmp_path if folder else None)
    assert judge(other, path) == first
    assert other.made == (0 if folder else 1)


@pytest.mark.parametrize("what", OTHER)
def test_what_differs_is_judged_anew(path, what, tmp_path):
    """One bit, one number, one word that the judgement depends on."""
    kept = Counting(tmp_path)
    judge(kept, path)
    differs = {"path": path} | OTHER[what](path)
    assert judge(kept, **differs) == judge(None, **differs)
    assert kept.made == 2


def test_a_convention_is_judged_anew(path, tmp_path):
    """The reading of a rule that has several."""
    kept = Counting(tmp_path)
    program = dataclasses.replace(PROGRAM, optimizer=Optimizer("momentum", 1.0, momentum=0.5))
    for made, convention in enumerate(("sum", "average"), 1):
        given = {"program": program, "conventions": {"momentum": convention}}
        assert judge(kept, path, **given) == judge(None, path, **given)
        assert kept.made == made


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "of another"])
def test_what_is_damaged_is_not_believed(path, damage, tmp_path):
    """A file that is cut, changed, empty or another's is judged anew and written anew."""
    judged = judge(Counting(tmp_path), path)
    [file] = tmp_path.iterdir()
    whole = file.read_bytes()
    judge(Counting(tmp_path), **OTHER["loss"](path))
    [another] = set(tmp_path.iterdir()) - {file}
    flipped = bytearray(whole)
    flipped[len(flipped) // 2] ^= 1
    file.write_bytes({"cut": whole[:-1], "flipped": flipped, "empty": b"", "of another": another.read_bytes()}[damage])
    kept = Counting(tmp_path)
    assert judge(kept, path) == judged
    assert kept.made == 1
    assert file.read_bytes() == whole


def test_groups_of_arrays_do_not_run_into_each_other():
    """What stands at the end of one group is another question than the same at the beginning of the next."""
    a, b = ({name: [np.zeros(1)]} for name in "ab")
    assert key_of({}, [], [a | b, {}]) != key_of({}, [], [a, b])


def test_what_cannot_be_unpacked_is_judged_anew(path, tmp_path):
    """Though its checksum is right: a file of another version of what it holds."""
    judged = judge(Counting(tmp_path), path)
    [file] = tmp_path.iterdir()
    file.write_bytes(_checksum(file.name, b"no pickle") + b"no pickle")
    kept = Counting(tmp_path)
    assert judge(kept, path) == judged
    assert kept.made == 1


def test_a_folder_that_is_gone_stops_nothing(path, tmp_path):
    """The run goes on, slower."""
    folder = tmp_path / "kept"
    folder.mkdir()
    kept = Counting(folder)
    shutil.rmtree(folder)
    assert judge(kept, path) == judge(None, path)


def test_arrays_of_objects_are_not_kept(path, tmp_path):
    """They have no bits to make a key of."""
    kept = Counting(tmp_path)
    losses = path.losses.astype(object)
    for made in (1, 2):
        judge(kept, dataclasses.replace(path, losses=losses[:, np.newaxis]))
        assert kept.made == made
    assert not list(tmp_path.iterdir())

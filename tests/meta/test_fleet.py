"""Every planted fault is found, and the score counts what was found."""

import dataclasses

import pytest

import backends
from backends import FRAMEWORKS
from report.power import EXCEPTION, SUITE, false_alarms, matrix, score, survivors
from tests.meta.fleet import fleet
from tests.meta.power import PART, by_cell, judged, kills, main
from tests.meta.test_levels import BATCHES

# A case of each kind, all of them quick; sh conform faults has them all, in both dtypes.
QUICK = (
    "line-generic", "logistic-graph-generic", "nand", "nand-adam", "nand-tenth",
    "nand-batches", "nand-saturated", "relu", "relu-generic",
    "square-generic", "square-zero", "tanh-neuron-generic", "xor-short", "deep", "deep-adam", "deep-momentum", "classes",
)  # fmt: skip
# Fewer where each case is a second of work: what is idiomatic of a framework shows in any net that trains.
FEW = ("line-generic", "nand", "nand-adam", "nand-batches", "xor-short")
FAULTS = fleet()
# Those of adapters that compute with numpy in parts, and those of each other framework together.
OF_NUMPY = [fault for fault in FAULTS if fault.sound not in FRAMEWORKS or fault.sound == "numpy"]
PARTS = {f"{start}": (OF_NUMPY[start : start + PART], QUICK) for start in range(0, len(OF_NUMPY), PART)} | {
    name: (found, FEW) for name in FRAMEWORKS if (found := [f for f in FAULTS if f.sound == name]) and name != "numpy"
}


def test_every_fault_belongs_to_a_part():
    """To one, once."""
    assert sorted(fault.name for part, _ in PARTS.values() for fault in part) == sorted(fault.name for fault in FAULTS)


def test_the_fleet_is_large_and_varied():
    """Sixty faults at least, in the families that users meet, each of them described, under a name of its own."""
    assert len(FAULTS) >= 60
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert all(fault.sound and fault.title.endswith(".") for fault in FAULTS)
    assert {fault.family for fault in FAULTS} == {
        "reduction", "scale", "sign", "zero", "permuted", "transposed", "one entry", "broadcast", "detached", "stale",
        "accumulated", "off by one", "learning rate", "momentum", "adam", "precision", "clipping", "saturation", "kink",
        "mutation", "lying", "convergence", "one point", "sizes", "one operation", "alike", "activation", "batches", "model",
        "not repeated",
    }  # fmt: skip


@pytest.mark.parametrize(("part", "cases"), PARTS.values(), ids=PARTS)
def test_every_fault_is_killed(part, cases, shared_suite, shared_file):
    """On quick cases each fault that changes a bit in float64 gets a verdict there; others in float32; sound ones get none.

    That an adapter raises or dies is no verdict: the fault itself may be broken.
    """
    gone = {fault.sound: reason for fault in part if (reason := backends.missing(fault.sound))}
    alive = [fault for fault in part if fault.sound not in gone]
    options = [*(word for name in cases for word in ("--case", name)), "--cases", shared_file(BATCHES)]
    for dtype in ("float64", "float32"):  # what float64 shows needs no second look
        chosen = [*options, "--dtype", dtype, "--nodes"]
        sound = {}
        for name in dict.fromkeys(fault.sound for fault in alive):  # one run for all parts that have it
            sound |= by_cell(shared_suite("--backend", name, *chosen).document, [name])
        assert not [kill for name, checks in sound.items() for kill in kills(name, checks, checks) if kill["caught"]]
        names = [fault.adapter for fault in alive]
        until = [word for name in names for word in ("--until-found", name)]
        checks = judged(names, [*chosen, "-p", "tests.meta.until_found", *until]) if alive else {}
        found = {fault: list(kills(fault.name, checks[fault.adapter], sound[fault.sound])) for fault in alive}
        alive = [fault for fault, each in found.items() if not any({*kill["caught"]} - {EXCEPTION} for kill in each)]
        if dtype == "float64":
            assert not [fault.name for fault in alive if any(kill["visible"] for kill in found[fault])]
    assert not [fault.name for fault in alive]
    if gone:
        pytest.skip(f"faults not judged: {gone}")


def test_a_framework_that_is_missing_is_no_false_alarm(monkeypatch, capsys, tmp_path):
    """Its faults are named as not judged, and the exit status is 1; nothing is counted of them."""
    monkeypatch.setattr(backends, "missing", {"mxnet": "package 'mxnet' is not installed"}.get)
    options = ["--case", "line", "-k", "test_gradient", "--dtype", "float64", "--results", str(tmp_path / "power.json")]
    assert main(["--fault", "StepOfBatch", "--fault", "SumIsMean", *options]) == 1
    out, err = capsys.readouterr()
    assert "not judged: the faults of mxnet, which cannot be imported: package 'mxnet' is not installed" in err
    assert "this suite: 0 false alarms" in out
    assert "SumIsMean" in out
    assert "StepOfBatch" not in out


def cell(fault="A", case="nand", dtype="float64", visible=True, caught=(), judge=SUITE, note=""):
    return {
        "kind": "kill", "judge": judge, "fault": fault, "case": case, "dtype": dtype, "visible": visible,
        "caught": list(caught), "note": note,
    }  # fmt: skip


def planted(name, family):
    return {"kind": "fault", "name": name, "adapter": name, "sound": "numpy", "family": family, "title": "a title"}


RECORDS = [
    planted("A", "scale"),
    planted("B", "scale"),
    planted("C", "zero"),
    cell("A", caught=["gradient"]),
    cell("A", "xor"),
    cell("A", dtype="float32", note="inside the bound"),
    cell("B", visible=False),
    cell("B", dtype="float32", visible=False),
    cell("C", caught=["loss", "step"]),
    cell("C", "xor", caught=["step"]),
    cell("numpy", visible=False),
    cell("A", visible=False, judge="another", caught=["alarm"]),
    cell("C", visible=False, judge="another"),
    cell("numpy", visible=False, judge="another", caught=["alarm"]),
]


def test_the_score_counts_faults():
    """A fault counts once a dtype, if it is visible on any case, and as killed if it is caught on any."""
    families, others = score(RECORDS)
    assert families.heading == ["family", "faults", "float64", "float32"]
    assert families.rows == [["scale", "2", "1 / 1", "0 / 1"], ["zero", "1", "1 / 1", "-"], ["all", "3", "2 / 2", "0 / 1"]]
    assert others.title == "faults killed / visible on 1 cases"
    assert others.rows == [["this suite", "2 / 2", "0 / 1"], ["another", "1 / 2", "-"]]


def test_the_matrix_counts_cases():
    """For each fault and dtype: cases killed / visible, and which tests caught it how often."""
    assert matrix(RECORDS).rows[0] == ["scale", "A", "float64", "1 / 2", "gradient 1"]
    assert ["zero", "C", "float64", "2 / 2", "loss 1, step 2"] in matrix(RECORDS).rows


def test_survivors_are_named():
    """What is caught on no case is listed with its reason, and so is what changes no bit; false alarms are counted."""
    assert survivors(RECORDS) == [
        "A float32 nand: inside the bound",
        "B float64: changes no bit of anything that is judged",
        "B float32: changes no bit of anything that is judged",
    ]
    assert false_alarms(RECORDS) == [
        "this suite: 0 false alarms on 1 sound adapters, cases and dtypes",
        "another: 1 false alarms on 1 sound adapters, cases and dtypes",
    ]


def check(**changed):
    quantity = {"backend": "b", "case": "nand", "dtype": "float64", "level": "autodiff", "test": "loss", "quantity": "loss"}
    return quantity | {"verdict": "conforms", "declared": None, "bits": "0" * 16, "share": (0.5).hex()} | changed


def cells(faulty, sound):
    key = ("nand", "float64")
    return list(kills("A", {key: {"loss": faulty}}, {key: {"loss": sound}}))


def test_a_fault_without_a_changed_bit_is_invisible():
    """Visibility is measured: the same bits and verdict are no fault there, others are, and a red verdict is a kill."""
    [same] = cells(check(), check())
    [moved] = cells(check(bits="1" * 16), check(share=(0.25).hex()))
    [red] = cells(check(verdict="deviates", bits="1" * 16), check())
    assert (same["visible"], same["caught"]) == (False, [])
    assert (moved["visible"], moved["caught"]) == (True, [])
    assert moved["note"] == "inside the bound: the worst error, of loss, uses 50% of it, and 25% without the fault"
    assert (red["visible"], red["caught"]) == (True, ["loss"])
    [raised] = cells(check(verdict="failed"), check())
    assert (raised["visible"], raised["caught"]) == (True, ["exception"])


def test_faults_name_their_adapters():
    """The adapter of a fault is what --backend takes."""
    assert dataclasses.asdict(FAULTS[0]) | {"title": ""} == {
        "adapter": "tests.meta.fleet.arithmetic:SumIsMean", "sound": "numpy", "family": "reduction", "title": "",
    }  # fmt: skip

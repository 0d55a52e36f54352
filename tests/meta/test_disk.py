"""A disk that is full or broken loses nothing that was judged, and the run says so."""

import errno
import json
import os
import re

import pytest

from report.document import read
from report.writing import ResultsFile
from runner.recording import describe_run
from tests.meta import power
from tests.meta.test_results import CHECK, begun, room_for


def test_a_full_disk_destroys_nothing(tmp_path):
    """Wherever in a record the room ends, the file is the document of the records before, and says that it is not complete."""
    path = tmp_path / "results.json"
    begun(path).close(complete=False)
    start = path.stat().st_size
    for more in range(0, 3 * len(json.dumps(CHECK)), 17):
        file = begun(path)
        with room_for(start + more):
            for _ in range(5):
                file.add(CHECK)
            file.close(complete=True)
        document = read(path)
        assert not document["complete"]
        assert b"\0" not in path.read_bytes()
        assert (file.kept, file.fault) == (f"{len(document['records'])} of 5 checks", "File too large")
    assert len(document["records"]) > 1


def test_a_disk_that_has_room_again_loses_nothing(tmp_path):
    """What could not be written is written at the end."""
    path = tmp_path / "results.json"
    file = begun(path)
    file.add(CHECK)
    with room_for(path.stat().st_size + 10):
        file.add(CHECK)
        file.add(CHECK)
        assert (len(read(path)["records"]), file.fault) == (1, "File too large")
    file.close(complete=True)
    assert (len(read(path)["records"]), read(path)["complete"], file.fault) == (3, True, "")


def test_a_disk_that_is_full_before_the_run_loses_nothing(tmp_path):
    """What stood in the file is still there; a file that was not there is not left empty."""
    path = tmp_path / "results.json"
    for old in (None, b"kept"):
        if old:
            path.write_bytes(old)
        file = ResultsFile(path)
        with room_for(10), pytest.raises(OSError, match="File too large"):
            file.begin(describe_run())
        file.close(complete=False)
        assert (path.read_bytes() if path.exists() else None) == old


@pytest.mark.parametrize("failing", ["fsync", "replaced"])
def test_an_end_that_fails_is_no_complete_file(tmp_path, monkeypatch, failing):
    """Some disks refuse only at the end, and a file may be gone by then."""
    path = tmp_path / "results.json"
    file = begun(path)
    file.add(CHECK)
    if failing == "fsync":
        monkeypatch.setattr(os, "fsync", refuse)
    else:
        path.replace(tmp_path / "elsewhere.json")
    file.close(complete=True)
    kept = tmp_path / ("results.json" if failing == "fsync" else "elsewhere.json")
    assert (read(kept)["records"], read(kept)["complete"]) == ([CHECK], False)
    assert file.fault in (os.strerror(errno.EIO), "it was removed or replaced while the run wrote it")


def refuse(_):
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_disk_that_breaks_is_said_to_be_broken(tmp_path, monkeypatch):
    """Where even the old end cannot be written again, the words say that the file may be damaged."""
    file = begun(tmp_path / "results.json")
    with monkeypatch.context() as patch:
        patch.setattr(file, "_put", lambda place, content: refuse(place))
        file.add(CHECK)
    assert file.fault == f"{os.strerror(errno.EIO)}; the file may be damaged: its closing brackets could not be written again"
    file.close(complete=True)
    assert (file.fault, read(file.path)["complete"]) == ("", True)


SMALL_DISK = """
import resource

def pytest_sessionstart():
    resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["plain", "xdist"])
def test_a_run_on_a_full_disk(suite, tmp_path, monkeypatch, workers):
    """It goes on, and ends with what was kept, of how much, and why; it is red, as results are lost."""
    (tmp_path / "small_disk.py").write_text(SMALL_DISK.format(size=30_000))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    outcome = suite(
        "-p", "no:cacheprovider", "-p", "small_disk", "--backend", "numpy", "--case", "line-generic", "-k", "not disk", *workers
    )
    kept = len(outcome.checks())
    assert (outcome.status, outcome.document["complete"]) == (1, False), outcome.text
    assert kept > 0
    assert "results.json is not complete: File too large\n" in outcome.text
    [all_of_them] = re.findall(rf"it holds 1 of 1 cases, .*\b{kept} of (\d+) checks", outcome.text)
    assert f"of {all_of_them} checks\n" in outcome.text
    assert int(all_of_them) > kept
    assert "INTERNALERROR" not in outcome.text
    assert " failed" not in outcome.text.splitlines()[-1]


def test_a_run_that_cannot_begin_its_file(suite, tmp_path, monkeypatch):
    """Nothing is judged into nowhere: a usage error before any test, and what stood in the file is still there."""
    (tmp_path / "small_disk.py").write_text(SMALL_DISK.format(size=100))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    kept = tmp_path / "kept.json"
    kept.write_text("kept")
    outcome = suite(
        "-p", "no:cacheprovider", "-p", "small_disk", "--backend", "numpy", "--case", "line-generic", f"--results={kept}"
    )
    assert outcome.status == 4, outcome.text
    assert f"--results={kept} cannot be written: File too large" in outcome.text
    assert " passed" not in outcome.text
    assert kept.read_text() == "kept"


def test_the_kill_matrix_on_a_full_disk(tmp_path, monkeypatch, capsys):
    """It is printed all the same; what the file holds is said, and the status is 1."""
    kill = {
        "kind": "kill", "judge": "this suite", "fault": "F", "case": "c", "dtype": "float64", "visible": True,
        "caught": ["loss"], "note": "",
    }  # fmt: skip
    fault = {"kind": "fault", "name": "F", "adapter": "a:F", "sound": "a", "family": "scale", "title": "t"}
    monkeypatch.setattr(power, "measured", lambda *_, **__: iter([fault, *[kill] * 50]))
    path = tmp_path / "power.json"
    assert power.main([f"--results={path}"]) == 0
    with room_for(path.stat().st_size // 2):
        assert power.main([f"--results={path}"]) == 1
    printed = capsys.readouterr()
    kept = len(read(path)["records"])
    assert "50 / 50" in printed.out
    assert printed.err.endswith(f"is not complete: File too large; it holds 1 of 1 faults, {kept - 1} of 50 kills\n")

"""Results files from elsewhere: whatever they hold, there is a page or an error that names the file and the place."""

import copy
import datetime
import json
import os
import subprocess
import sys
import time

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from report.consistency import MAX_CELLS
from report.document import MAX_MEBIBYTES, DocumentError, read
from report.page import build
from report.schema import faults, standard
from tests.meta.conftest import ROOT
from tests.meta.documents import (
    BACKEND,
    CASE,
    CLASSIFIER,
    DOCUMENT,
    FAULT,
    FULL,
    HALF,
    KILL,
    OTHER,
    PLAIN,
    RECORDS,
    TRACE,
    at,
    fault,
    page_of,
    places,
    put,
    written,
)

SCHEMA = standard()


def test_the_document_of_these_tests_is_shown(tmp_path):
    """It holds every kind of record that the schema knows, each with every field, so that no room is left out."""
    page = page_of(tmp_path, json.dumps(DOCUMENT).encode())
    for words in (
        "| xor | failed 0.50 ulp 50%, 66% judged |",
        "### Classifier xor float64",
        "0.5, worst nan at step 2",
        "3 ulp",
    ):
        assert words in page
    for kind in SCHEMA["properties"]["records"]["items"]["properties"]["kind"]["enum"]:
        fields = {field for record in RECORDS if record["kind"] == kind for field in record}
        assert fields == set(SCHEMA["$defs"][kind]["properties"]), kind


# Fuzzing. The same examples in every run; EXAMPLES is the number to raise for a longer search.
EXAMPLES = 150
FUZZ = settings(max_examples=EXAMPLES, derandomize=True, database=None, deadline=datetime.timedelta(seconds=20))

WORDS = st.sampled_from(
    [
        "",
        "nan",
        "-inf",
        HALF,
        "0x1.0p+9999",
        "xor",
        "xor class",
        "contract",
        "training",
        "\x1b[2J",
        "\ud800",
        "\u202e",
        "{{ 7 }}",
    ]
)
NUMBERS = st.sampled_from([0, -1, 1, 3, 0.5, -0.0, 1e308, 2**53, 10**400, float("nan"), float("inf")])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | NUMBERS | st.text(max_size=9) | WORDS
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9) | WORDS, inner))
PLACES = list(places(DOCUMENT))


def change(path):
    """A place and another value for it: most often of the type that stands there, which the schema may let pass."""
    here = type(at(DOCUMENT, path))
    alike = st.sampled_from([value for value in (at(DOCUMENT, path) for path in PLACES) if type(value) is here])
    return st.tuples(st.just(path), st.one_of(VALUES, alike, st.text(max_size=20) if here is str else alike))


@FUZZ
@given(st.binary(max_size=200))
def test_any_bytes(tmp_path_factory, content):
    """Bytes that are no document are refused."""
    assert isinstance(page_of(tmp_path_factory.mktemp("any"), content), DocumentError)


@FUZZ
@given(st.data())
def test_damaged_bytes(tmp_path_factory, data):
    """A document that is cut off or has other bytes in places is refused or shown."""
    content = bytearray(json.dumps(DOCUMENT).encode())
    index = st.integers(0, len(content) - 1)
    for place, byte in data.draw(st.lists(st.tuples(index, st.integers(0, 255)), max_size=4)):
        content[place] = byte
    end = data.draw(st.just(len(content)) | index)
    found = page_of(tmp_path_factory.mktemp("damaged"), content[:end])
    assert end == len(content) or isinstance(found, DocumentError)


@FUZZ
@given(st.lists(st.sampled_from(PLACES).flatmap(change), min_size=1, max_size=3))
def test_other_values(tmp_path_factory, changes):
    """A document with any values in any places is refused or shown."""
    document = DOCUMENT
    for path, value in changes:
        document = put(document, path, value)
    page_of(tmp_path_factory.mktemp("other"), json.dumps(document).encode())


@FUZZ
@given(st.lists(st.sampled_from(PLACES).flatmap(change), max_size=2))
def test_the_quick_tests_say_what_jsonschema_says(changes):
    """What they let pass is valid, and what is valid has no fault."""
    document = DOCUMENT
    for path, value in changes:
        document = put(document, path, value)
    assert jsonschema.Draft202012Validator(SCHEMA).is_valid(document) == (next(faults(document), None) is None)


MANY = 5000
SECONDS = 15


@pytest.mark.parametrize(
    "records",
    [
        [RECORDS[BACKEND] | {"name": f"b{k}"} for k in range(MANY)],
        [RECORDS[CASE] | {"name": f"c{k}"} for k in range(MANY)],
        [RECORDS[FULL] | {"case": f"c{k}"} for k in range(MANY)],
        [RECORDS[FULL] | {"backend": f"b{k}"} for k in range(MANY)],
        [RECORDS[CLASSIFIER] | {"backend": f"b{k}"} for k in range(MANY)],
        [one for k in range(MANY // 2) for one in (fault(k), RECORDS[KILL] | {"fault": f"F{k}"})],
        [one for k in range(MANY // 2) for one in (fault(k), RECORDS[KILL] | {"fault": f"F{k}", "judge": f"j{k}"})],
        [RECORDS[FAULT], *(RECORDS[KILL] | {"fault": f"sound{k}", "judge": f"j{k}"} for k in range(MANY))],
        [RECORDS[BACKEND] | {"probed": {f"float64 {m}": "x" for m in range(1000)}}] * (MANY // 100) + [RECORDS[FULL]],
    ],
    ids=["backends", "cases", "checks", "columns", "classifiers", "faults", "judges", "alarms", "probes"],
)
def test_time_grows_as_the_file_does(tmp_path, records):
    """A table of pairs of records would take minutes."""
    document = DOCUMENT | {
        "records": records,
        "run": {k: v for k, v in DOCUMENT["run"].items() if k not in ("plan", "backends")},
    }
    (tmp_path / "many.json").write_text(json.dumps(document))
    start = time.process_time()
    build([tmp_path / "many.json"], tmp_path / "out")
    assert time.process_time() - start < SECONDS


# Each hole that was found, by itself.

HUGE = "9" * 5000


def record(index, *path):
    return ("records", index, *path)


@pytest.mark.parametrize(
    ("path", "raw", "words"),
    [
        (record(FULL, "error_ulp"), '"0x1.0p+9999"', "records[3].error_ulp, a check: '0x1.0p+9999' does not match"),
        (record(FULL, "share"), '"0x1.0p+1024"', "records[3].share, a check: '0x1.0p+1024' does not match"),
        (record(FULL, "got", 1), '"0.5"', "records[3].got[1], a check: '0.5' does not match"),
        (record(FULL, "drift", "end"), '"0x1.0p+9999"', "records[3].drift.end, a check: "),
        (record(FULL, "drift", "worst_step"), HUGE, "records[3].drift.worst_step, a check: an integer of 5000 digits is not"),
        (record(PLAIN, "duration"), "NaN", "records[2].duration, a check: NaN is not of type 'number'"),
        (record(PLAIN, "duration"), "-Infinity", "records[2].duration, a check: -Infinity is not of type 'number'"),
        (record(PLAIN, "duration"), "1e400", "records[2].duration, a check: inf is greater than the maximum"),
        (record(PLAIN, "duration"), "9" * 400, "records[2].duration, a check: 999"),
        (("run", "threads"), HUGE, "at $.run.threads: an integer of 5000 digits is not of type 'integer'"),
        (record(FULL, "points"), "9007199254740992", "records[3].points, a check: 9007199254740992 is greater than"),
        (record(FULL, "points_without_verdict"), "4", "records[3].points_without_verdict, a check: 4 of 3 points"),
        (record(PLAIN, "points_without_verdict"), "1", "records[2].points_without_verdict, a check: 1 of 0 points"),
        (record(FULL, "too_wide"), "5", "records[3].too_wide, a check: 5 of 4 entries"),
        (record(FULL, "bound"), "[]", "{'got': 2, 'truth': 2, 'bound': 0}"),
        (record(PLAIN, "got"), "[]", "at $.records[2], a check: 'truth' is a dependency of 'got'"),
        (record(PLAIN, "error_ulp"), '"nan"', "at $.records[2], a check: 'share' is a dependency of 'error_ulp'"),
        (record(PLAIN, "case"), '"xor twice"', "records[2].case, a check: 'xor twice' does not match"),
        (record(PLAIN, "case"), '"xor\\n"', "records[2].case, a check: 'xor\\n' does not match"),
        (record(CASE, "name"), '"xor\\n"', "records[1].name, a case: 'xor\\n' does not match"),
        (record(FULL, "share"), '"nan\\n"', "records[3].share, a check: 'nan\\n' does not match"),
        (record(FULL, "bits"), f'"{"0" * 16}\\n"', "records[3].bits, a check: "),
        (record(CASE, "program"), '[["+"]]', f"records[{CASE}].program[0], a case: '+' of 0 operands"),
        (record(TRACE, "nodes", 0, "operands"), "[]", f"records[{TRACE}].nodes[0].operands, a trace: '*' of 0 operands"),
        (record(KILL, "dtype"), '"float8"', f"records[{KILL}].dtype, a kill: 'float8' is not one of ['float32', "),
        (record(BACKEND, "deviations"), f"{[0] * 1001}", "[0].deviations, a backend: 1001 items, of which"),
        (record(BACKEND, "probed"), json.dumps(dict.fromkeys(map(str, range(1001)))), "a backend: 1001 properties, of which"),
        (record(PLAIN, "backend"), f'"{"x" * 1001}"', "records[2].backend, a check: 1001 characters, of which"),
        (("run", "cpu", "flags"), f"{[0] * 10001}", "at $.run.cpu.flags: 10001 items, of which the report takes 10000 at most"),
        (("records",), f"{[0] * 100001}", "at $.records: 100001 items, of which the report takes 100000 at most"),
        (record(PLAIN, "dtype"), '"float8"', "records[2].dtype, a check: 'float8' is not one of ['float32', "),
        (record(PLAIN, "mode"), '"lazy"', "records[2].mode, a check: 'lazy' is not one of ['eager', 'compiled']"),
        (record(BACKEND, "loop"), '"nobody"', "records[0].loop, a backend: 'nobody' is not one of ['framework', 'suite']"),
        (record(BACKEND, "conventions", "adam"), '"hat"', "records[0].conventions.adam, a backend: 'hat' is not one of ['epsi"),
        (record(PLAIN, "kind"), '"cheque"', "records[2].kind, a cheque: 'cheque' is not one of ['backend', "),
        (record(PLAIN), '{"backend": "numpy"}', "at $.records[2]: 'kind' is a required property"),
        (record(PLAIN), "[]", "at $.records[2]: [] is not of type 'object'"),
        (record(PLAIN), '{"kind": "check", "kind": "case"}', "at $.records[2]: an object with the key 'kind' more than once"),
        (("run", "settings"), '{"A": "", "A": ""}', "at $.run.settings: an object with the key 'A' more than once"),
        (("run", "settings"), json.dumps({"\x1b" + "x" * 10**6: 1}), "at $.run.settings['\\x1bxxx"),
        (("run", "cpu", "more"), "[]", "at $.run.cpu: Additional properties are not allowed ('more' was unexpected)"),
        (record(CLASSIFIER, "counted", "held out F1"), "[1]", "[4].counted['held out F1'], a classifier: 1 classes; other"),
        (record(CLASSIFIER, "exact", "held out confusion matrix", 0), "[1]", "a classifier: 1 classes; other lists"),
        (record(CLASSIFIER, "exact", "training accuracy", 0), '"1"', "['training accuracy'][0], a classifier: '1' is not of"),
        (record(CLASSIFIER, "exact", "training accuracy", 0), "9" * 400, ".exact['training accuracy'][0], a classifier: 999"),
        (record(CLASSIFIER, "exact", "held out easiest"), "[1, 2]", "a classifier: 2 held out examples; other lists"),
        (record(CLASSIFIER, "exact", "held out easiest"), f"{[1] * 101}", "a classifier: 101 items, of which"),
        (record(CLASSIFIER, "exact", "more"), "[]", ".exact, a classifier: Additional properties are not allowed"),
        (record(CLASSIFIER, "exact"), "{}", "at $.records[4].exact, a classifier: 'training accuracy' is a required property"),
        (record(CLASSIFIER, "losses", "held out"), f'["{HALF}"]', ".losses['held out'], a classifier: 1 epochs; other lists"),
        (record(CLASSIFIER, "p", "held out easiest"), "[]", ".p['held out easiest'], a classifier: 0 held out examples"),
        (record(OTHER, "level"), '"layers"', "records[5].level, a classifier: 'layers' is not one of"),
    ],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
def test_a_hole_is_closed(tmp_path, path, raw, words):
    """The error names the record, its kind and the field, and says what stands there."""
    assert words in str(page_of(tmp_path, written(path, raw).encode()))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty: the run that was to write it never began"),
        (b'{"schema": 2,\n"run"', "not a JSON document: Expecting ':' delimiter: line 2 column 6"),
        (b'{"schema": "\xff"}', "not a JSON document: 'utf-8' codec can't decode byte 0xff in position 12"),
        ('{"schema": 2}'.encode("utf-16"), "not a JSON document: 'utf-8' codec can't decode byte 0xff in position 0"),
        (b"[" * 100_000, "not a JSON document: maximum recursion depth exceeded"),
        (b"NaN", "at $: NaN is not of type 'object'"),
        (b"{}", "at $.schema: schema version None; this program reads versions 2 and 3"),
        (b'{"schema": 2, "schema": 2}', "at $: an object with the key 'schema' more than once is not of type 'object'"),
        (b'{"schema": 2.0}', "is a required property"),
        (b"[" + b"{}," * 10**6 + b"{}]", "more than 1000000 '{', the most that is read of a file"),
        (b"[" * 10**6 + b"[", "more than 1000000 '['"),
        (b"[" + b"0," * 4 * 10**6 + b"0,0]", "more than 4000000 ','"),
        (b'{"schema": [' + b"[" * 400 + b"]" * 400 + b"]}", "at $.schema: schema version [[[[[[[...]]]]]]]"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_no_document(tmp_path, content, words):
    """The error says where the text ceases to be a document."""
    assert words in str(page_of(tmp_path, content))


def test_values_that_are_nested_deeply(tmp_path):
    """Whether the parser, the schema or the words of the error meet Python's limit of recursion, it is refused."""
    limit = sys.getrecursionlimit()
    place = record(BACKEND, "deviations", 0, "absolute")
    pages = [page_of(tmp_path, written(place, "[" * n + "]" * n).encode()) for n in range(limit - 150, limit + 1)]
    assert {type(page) for page in pages} == {DocumentError}
    assert "at $.records[0].deviations[0].absolute, a backend: [[[" in str(pages[0])


def test_classifiers_that_stand_side_by_side(tmp_path):
    """Runs of one case and dtype share the rows of a table: another number of epochs is refused, another dtype is not."""
    document = copy.deepcopy(DOCUMENT)
    other = document["records"][OTHER]
    for facts in (other["counted"], other["exact"]):
        facts |= {"training accuracy": [1], "held out accuracy": [1]}
    other["losses"] = {"training": [HALF], "held out": [HALF]}
    error = page_of(tmp_path, json.dumps(document).encode())
    assert "at $.records[5].counted['training accuracy'], a classifier: 1 epochs; other lists of the same case" in str(error)
    other["dtype"] = "float32"
    assert "Classifier xor float32" in page_of(tmp_path, json.dumps(document).encode())


def test_a_crowd_is_refused(tmp_path):
    """A small file of distinct backends and cases must not ask for a table that fills the memory."""
    count = int(MAX_CELLS**0.5) + 1
    document = DOCUMENT | {"records": [RECORDS[PLAIN] | {"backend": f"b{k}", "case": f"c{k}"} for k in range(count)]}
    error = page_of(tmp_path, json.dumps(document).encode())
    assert f"at $.records: {count} backends and {count} programs" in str(error)
    document["records"].pop()
    assert f"| c{count - 2} | not run |" in page_of(tmp_path, json.dumps(document).encode())


def test_a_backend_that_is_described_twice_is_shown_twice(tmp_path):
    """Descriptions that contradict each other are shown as they stand."""
    document = DOCUMENT | {"records": [*RECORDS, RECORDS[BACKEND] | {"version": "3.0"}]}
    page = page_of(tmp_path, json.dumps(document).encode())
    assert "| numpy | numpy 2.0.1 | 2.0 | eager |" in page
    assert "| numpy | numpy 2.0.1 | 3.0 | eager |" in page


@pytest.mark.parametrize("measured", [{}, None], ids=["nothing is measured", "it was not measured"])
def test_what_is_only_stated_is_called_so(tmp_path, measured):
    """An engine that is none of the known frameworks, and one in a file of before, have a name and a version as stated."""
    found = RECORDS[BACKEND] | ({} if measured is None else {"measured": measured})
    if measured is None:
        del found["measured"]
    document = put(DOCUMENT, ("records", BACKEND), found)
    assert "| numpy | stated: numpy | stated: 2.0 | eager |" in page_of(tmp_path, json.dumps(document).encode())


def test_files_that_are_not_read_keep_no_other_from_being_read(tmp_path):
    """What is no regular file is not opened; every reason is on the page and on stderr, and the exit status says so."""
    good, broken, huge = (tmp_path / name for name in ("good.json", "broken\x1b.json", "huge.json"))
    good.write_text(json.dumps(DOCUMENT))
    broken.write_text("{")
    with huge.open("wb") as file:
        file.truncate(MAX_MEBIBYTES * 2**20 + 1)
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    unread = {
        str(broken).replace("\x1b", "\\x1b"): "not a JSON document: ",
        str(huge): f"more than {MAX_MEBIBYTES} MiB",
        str(tmp_path / "folder.json"): "no results files in this folder",
        str(tmp_path / "pipe.json"): "not a regular file",
        "/dev/zero": "not a regular file",
        str(tmp_path / "missing.json"): "No such file or directory",
    }
    command = [sys.executable, "-m", "report", "build", "--output", str(tmp_path / "out"), str(broken), str(good), *unread]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (
        2,
        "".join(f"wrote {tmp_path / 'out' / name}\n" for name in ("index.html", "report.md")),
    )
    page = (tmp_path / "out" / "report.md").read_text()
    _, listed, _, shown = page.split("## ", 3)
    assert listed.startswith("Not read\n")
    escaped = str(good).replace("_", "\\_")
    assert shown.startswith(f"jax-oldest\n\nFrom {escaped}.\n")
    assert f"\n## {broken}" not in page
    for name, reason in unread.items():
        assert f"report: {name}: {reason}" in done.stderr
        assert f"- {name}: {reason}".replace("_", "\\_").replace("\\x1b", "\\\\x1b") in listed


def test_nothing_is_written_where_nothing_can_be_read(tmp_path):
    """All errors are in one, a line each."""
    paths = [tmp_path / "one.json", tmp_path / "two.json"]
    with pytest.raises(DocumentError) as error:
        build(paths, tmp_path / "out")
    assert str(error.value) == "\n".join(f"{path}: No such file or directory" for path in paths)
    assert not (tmp_path / "out").exists()


def test_a_byte_order_mark_is_no_fault(tmp_path):
    """Editors put one before a text that is JSON."""
    path = tmp_path / "marked.json"
    path.write_text(json.dumps(DOCUMENT), encoding="utf-8-sig")
    assert read(path) == DOCUMENT

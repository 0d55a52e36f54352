"""Results files from elsewhere: whatever they hold, there is a page or an error that names the file and the place."""

import contextlib
import copy
import datetime
import json
import os
import re
import subprocess
import sys
import time

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cases import CaseError
from cases.nand import NAND
from report.__main__ import main
from report.consistency import MAX_CELLS
from report.document import MAX_MEBIBYTES, MAX_WORDS, DocumentError, escaped, read
from report.page import build
from report.schema import completed, faults, standard
from tests.meta.conftest import ROOT
from vocabulary.rules import conventions_of_rules
from vocabulary.words import DTYPES, LEVELS, MODES, VERDICTS

HALF = (0.5).hex()
SCHEMA = standard()


def counted():
    """What is counted of two epochs, two classes and one example of each sort."""
    facts = {
        "accuracy": [0.5, 1.0], "precision": [1, 0.25], "recall": [1, 0.25], "F1": [1, 0.25],
        "macro averages": [0.5, 0.5, 0.5], "confusion matrix": [[3, 0], [1, 4]], "easiest": [7], "hardest": [2],
    }  # fmt: skip
    return {f"{words} {name}": copy.deepcopy(value) for words in ("training", "held out") for name, value in facts.items()}


WHOSE = {"backend": "numpy", "level": "autodiff", "mode": "eager", "dtype": "float64", "case": "xor"}
BACKEND, CASE, PLAIN, FULL, CLASSIFIER, OTHER, FAULT, KILL = range(8)
RECORDS = [
    {
        "kind": "backend", "name": "numpy", "engine": "numpy", "version": "2.0", "measured": {"numpy": "2.0.1"},
        "modules": ["backends.numpy"],
        "modes": {"gradient": "eager", "training": "eager"},
        "unsupported": [["float16", "exp", "a reason"]], "unsupported_levels": {"class": "a reason"}, "loop": "framework",
        "native_losses": [["a loss", "squared error", "sum"]], "rules": ["sgd"],
        "conventions": {"adam": "epsilon"}, "slope_at_kink": 0.0,
        "places": {"unsupported_levels": "a.py"},
        "numeric": {"float64 matmul": "53 bits"}, "probed": {"float64 matmul": "53 bits"},
        "deviations": [{
            "subject": "exp", "dtypes": ["float64"], "reason": "a reason", "size": "3 ulp", "link": "a link", "absolute": 0.5,
            "widens": False, "passes_through": "", "values": ["rate"], "rules": ["adam"], "computes": "",
            "place": "backends/x.py:7",
        }],
    },
    {"kind": "case", "name": "xor", "title": "a title", "source": "a source", "levels": {"class": "a reason"}},
    {
        "kind": "check", **WHOSE, "test": "a test", "quantity": "loss",
        "verdict": "failed", "message": "a message", "declared": None, "duration": 0.25,
    },
    {
        "kind": "check", **WHOSE, "test": "a test", "quantity": "gradient w",
        "verdict": "conforms", "message": "", "declared": "exp", "duration": 0.25, "where": "w[0]",
        "got": [HALF, HALF], "truth": [HALF, HALF], "bound": [HALF, HALF], "error_ulp": HALF, "share": HALF,
        "share_median": HALF, "entries": 4, "too_wide": 1, "points": 3, "points_without_verdict": 1,
        "drift": {"end": HALF, "worst": "nan", "worst_step": 2},
        "bits": "0123456789abcdef", "cause": "status 7",
    },
    *(
        {
            "kind": "classifier", **WHOSE, "backend": backend, "counted": counted(), "exact": counted(),
            "losses": {"training": [HALF, HALF], "held out": [HALF, "inf"]},
            "p": {f"{words} {which}": [HALF] for words in ("training", "held out") for which in ("easiest", "hardest")},
        }
        for backend in ("numpy", "torch")
    ),
    {"kind": "fault", "name": "Twice", "adapter": "a:Twice", "sound": "numpy", "family": "scale", "title": "a title"},
    {
        "kind": "kill", "judge": "this suite", "fault": "Twice", "case": "xor", "dtype": "float64", "visible": True,
        "caught": ["gradient"], "note": "",
    },
]  # fmt: skip
DOCUMENT = {
    "schema": 2,
    "run": {
        "started": "2025-01-01T00:00:00+00:00", "command": ["pytest"], "backends": ["numpy"],
        "environment": "jax-oldest", "shard": {"number": 1, "of": 1},
        "python": "3.11", "platform": "a platform",
        "cpu": {"model": "a model", "flags": ["fma"]}, "threads": 2, "settings": {"A": "1"}, "packages": {"numpy": "2.0"},
        "made_of": {"numpy": {"numpy": "2.0"}},
        "plan": {
            "dtypes": ["float64"], "levels": ["autodiff"], "random": 0, "seed": 1, "nodes": False, "only": ["--case nand"],
            "tests": ["-k x"],
        },
    },
    "records": RECORDS,
    "complete": True,
}  # fmt: skip
HERE = "what stands here"


def fault(number):
    """A fault of a family of its own."""
    return RECORDS[FAULT] | {"name": f"F{number}", "family": f"f{number}"}


def places(value, path=()):
    """Every place in a JSON value, as the keys and indices that lead to it."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def at(document, path):
    for key in path:
        document = document[key]
    return document


def put(document, path, value):
    """Return a copy of ``document`` with ``value`` at ``path``; unchanged where there is no such place."""
    if not path:
        return value
    document = copy.deepcopy(document)
    with contextlib.suppress(LookupError, TypeError):
        at(document, path[:-1])[path[-1]] = value
    return document


def written(path, raw):
    """Return the text of the document with the JSON text ``raw`` at ``path``."""
    return json.dumps(put(DOCUMENT, path, HERE)).replace(json.dumps(HERE), raw)


def page_of(folder, content):
    """Return the page of a file of these bytes, or the error, which has to name the file in one short line."""
    path = folder / "untrusted.json"
    path.write_bytes(content)
    try:
        page, *_ = build([path], folder / "out")
    except DocumentError as error:
        words = str(error)
        assert words.startswith(f"{path}: ")
        assert words.isprintable()
        assert len(words) < len(str(path)) + 20 * MAX_WORDS
        return error
    return page.read_text(encoding="utf-8")


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


def test_the_printed_schema_is_a_standard_one(capsys):
    """It is valid JSON schema, has no marker left, and lists the words of the vocabulary."""
    assert main(["schema"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == SCHEMA
    jsonschema.Draft202012Validator.check_schema(printed)
    check, backend = (printed["$defs"][kind]["properties"] for kind in ("check", "backend"))
    listed = [check[field]["enum"] for field in ("level", "mode", "dtype", "verdict")]
    assert listed == [list(LEVELS), list(MODES), list(DTYPES), list(VERDICTS)]
    assert backend["conventions"]["properties"] == {
        name: {"enum": list(known)} for name, known in conventions_of_rules().items()
    }


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"a": {"enum": "COLOURS"}}, "unknown marker of 'enum' in the schema: 'COLOURS'; known: DTYPES, LEVELS, "),
        ({"allOf": [{"required": "MODE"}]}, "unknown marker of 'required' in the schema: 'MODE'; known: DTYPES, LEVELS, "),
        ({"properties": "LEVELS"}, "unknown marker of 'properties' in the schema: 'LEVELS'; known: CONVENTIONS"),
    ],
)
def test_an_unknown_marker_in_the_schema_is_an_error(part, message):
    """It is named with those that are known, wherever it stands."""
    with pytest.raises(ValueError, match=re.escape(message)):
        completed(part)


def schemas(schema):
    """Every schema in a schema."""
    yield schema
    parts = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values(), *schema.get("allOf", ())]
    parts += [schema[word] for word in ("items", "additionalProperties", "then") if isinstance(schema.get(word), dict)]
    for part in parts:
        yield from schemas(part)


def test_all_that_has_a_length_has_a_limit():
    """Lists, open objects and strings of any length would let a file ask for any amount of time."""
    for schema in schemas(SCHEMA):
        kinds = schema.get("type", ())
        if "array" in kinds:
            assert "maxItems" in schema, schema
        if "object" in kinds and isinstance(schema.get("additionalProperties", {}), dict) and "allOf" not in schema:
            assert "maxProperties" in schema, schema
        if "string" in kinds:
            assert "maxLength" in schema or not re.search(r"[*+](?!\()", schema["pattern"].replace("\\+", "")), schema


def test_a_pattern_ends_where_the_text_ends():
    """In Python's patterns $ also stands before a newline at the end."""
    patterns = [schema["pattern"] for schema in schemas(SCHEMA) if "pattern" in schema]
    assert len(patterns) == 3
    assert all(pattern.startswith("^") and pattern.endswith("$(?!\\n)") for pattern in patterns)
    assert not any("patternProperties" in schema for schema in schemas(SCHEMA))
    for name in ("xor\n", "xor\r", "xor "):
        with pytest.raises(CaseError, match="lower-case words"):
            NAND.but(name)


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
        (record(KILL, "dtype"), '"float8"', "records[7].dtype, a kill: 'float8' is not one of ['float32', "),
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
        (b"", "not a JSON document: Expecting value: line 1 column 1"),
        (b'{"schema": 2,\n"run"', "not a JSON document: Expecting ':' delimiter: line 2 column 6"),
        (b'{"schema": "\xff"}', "not a JSON document: 'utf-8' codec can't decode byte 0xff in position 12"),
        ('{"schema": 2}'.encode("utf-16"), "not a JSON document: 'utf-8' codec can't decode byte 0xff in position 0"),
        (b"[" * 100_000, "not a JSON document: maximum recursion depth exceeded"),
        (b"NaN", "at $: NaN is not of type 'object'"),
        (b"{}", "at $.schema: schema version None; this program reads version 2"),
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


STRINGS = [path for path in places(DOCUMENT) if isinstance(at(DOCUMENT, path), str)]
# What GitHub would make a link, a mention, an emoji or mathematics of.
ALIVE = (
    "http://x.y/z", "www.x.y", "ftp://x.y", "mailto:x", "a@b.c", "@user", "@org/team", ":smile:", ":+1:", "$x$", "$", "#123",
    "o/r#1", "GH-1", "gh-12", "CVE-2020-1234", "0123abc", "0123456789abcdef0123456789abcdef01234567", "o/r@0123abc",
)  # fmt: skip
HOSTILE = (
    "\x1b[31m\x00\x07\u202e\u2066\u200b\ud800\r\n\n# h | `c` <b> &lt; ~~s~~ {{ 7 * 7 }} {% raw %} __import__('os') \x85\u2028$"
    f" {' '.join(ALIVE)} (http://x.y), '@user': $`x|y`$ :smile"
)


@pytest.mark.parametrize("path", STRINGS, ids=lambda path: "-".join(map(str, path)))
def test_a_hostile_string_is_text(tmp_path, path):
    """Wherever text may stand, it stays on its line, is escaped, and is not executed."""
    harmless, hostile = (page_of(tmp_path, json.dumps(put(DOCUMENT, path, text)).encode()) for text in ("Zebra 7", HOSTILE))
    assert isinstance(hostile, type(harmless))
    if isinstance(hostile, DocumentError):  # a place for numbers, names of cases or words that are listed
        return
    lines = hostile.split("\n")
    assert all(line.isprintable() for line in lines)
    assert len(lines) == harmless.count("\n") + 1
    shown = [line for line in lines if "7 \\* 7" in line]
    assert bool(shown) == ("Zebra" in harmless)
    for line in shown:
        assert "\\\\x1b\\[31m\\\\x00\\\\x07\\\\u202e\\\\u2066\\\\u200b\\\\ud800 \\# h \\| \\`c\\` \\<b\\> \\&lt;" in line
        assert "`$` `http://x.y/z` `www.x.y` " in line
        assert " `@org/team` `:smile`: `:+1`: `$x$` `$` `#123` `o/r#1` `GH-1` " in line
        assert " (`http://x.y`), '`@user`': `$\\x60x\\x7cy\\x60$`" in line
    assert not [text for text in texts(hostile) if any(re.search(pattern, text, re.IGNORECASE) for pattern in ACTED_ON)]


# What GitHub's own filters look for in the text of a page, and its autolinks.
ACTED_ON = (
    r"://", r"www\.", r"mailto:", r"\w@\w", r"(^|\W)@\w", r":[a-z0-9_+-]+:", r"\$", r"#\d", r"\b(gh|cve|ghsa)-\w",
    r"\b[0-9a-f]{7,}\b",
)  # fmt: skip


def texts(page):
    """Return the texts of a page as it is drawn, side by side where nothing stands between them, and without what is code."""
    for block in MarkdownIt("commonmark").enable("table").parse(page):
        if block.type == "inline":
            assert {token.type for token in block.children} <= PLAIN_TOKENS
            run = "".join(token.content if token.type == "text" else "\0" for token in block.children)
            yield from run.split("\0")


PLAIN_TOKENS = {"text", "code_inline", "strong_open", "strong_close", "softbreak"}


@pytest.mark.parametrize("text", [*ALIVE, "- x", "1. x", "2) x", "+ x", "---", "- - -"])
def test_no_word_is_acted_on(text):
    """Links, mentions, emoji and mathematics are shown as code, which GitHub leaves alone; lists and lines as their signs."""
    for around in ("{}", "see {}, please", "({})", "'{}':", "{}.", "\\{}", "`{}`", "x:{}:y"):
        line = escaped(around.format(text))
        blocks = MarkdownIt("commonmark").parse(f"- {line}")
        assert [block.type for block in blocks].count("inline") == 1
        assert not {block.type for block in blocks} & {"hr", "ordered_list_open"}
        assert [block.type for block in blocks].count("bullet_list_open") == 1
        for shown in texts(f"| a |\n|---|\n| {line} |\n"):
            assert not [pattern for pattern in ACTED_ON if re.search(pattern, shown, re.IGNORECASE)]


def test_what_is_no_link_stays_as_it_is():
    """Plain words, numbers and the names of the suite are not code; links can still be read."""
    for text in ("float64: 3 ulp of 12 at w[0], x.py:7", "nand modules - 97%", "1.5 times", "-", "a feedback of utf-8"):
        assert "`" not in escaped(text)
    assert escaped("see (https://x.y/a_b), or 1.234567890e-08") == "see (`https://x.y/a_b`), or `1.234567890e-08`"


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
    assert (done.returncode, done.stdout) == (2, f"wrote {tmp_path / 'out' / 'report.md'}\n")
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

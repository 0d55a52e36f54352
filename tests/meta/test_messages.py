"""What is shown of a backend that fails: all that helps, nothing that a terminal obeys, and not more than can be read."""

import os
import resource
import signal
import sys
import threading
import time

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from backends.text import LEFT_OUT, MOST, legible
from backends.transport.process import QUOTED, Crashed, Failed, Log, Process, TimedOut

MILLION = 10**6
HOSTILE = "\x1b[2J\x1b]0;title\x07\r\x00\x9b1A\u202e\u2066\u2028\ud800"
ESCAPED = r"\x1b[2J\x1b]0;title\x07\r\x00\x9b1A\u202e\u2066\u2028\ud800"


def is_legible(text):
    return len(text) <= MOST and all(character.isprintable() or character in "\n\t" for character in text)


# What is legible.


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("a\n\tb é 数", "a\n\tb é 数"),
        (HOSTILE, ESCAPED),
        ("\\x1b", "\\x1b"),
        ("a" * MOST, "a" * MOST),
        ("a" * MOST + "b", "a" * 1982 + LEFT_OUT.format(37) + "a" * 1981 + "b"),
        ("\x1b" * MOST, r"\x1b" * 495 + LEFT_OUT.format(3010) + r"\x1b" * 495),
    ],
    ids=lambda text: repr(text[:20]),
)
def test_what_is_legible(text, shown):
    """Controls are escaped, newlines and tabs stay, and of what is long both ends stay, and the number of what is left out."""
    assert legible(text) == shown


@hypothesis.given(st.text(st.characters(exclude_categories=())), st.integers(100, 200))
def test_what_is_legible_stays_so(text, most):
    """Whatever the text, it is short, moves no cursor, and can be written; once more changes nothing."""
    shown = legible(text * 10, most)
    assert is_legible(shown)
    assert len(shown) <= most
    assert shown.encode().decode() == legible(shown, most) == shown


class Lies(str):
    """A text with methods of its own."""

    __slots__ = ()

    def __len__(self):
        return 0

    def __format__(self, spec):
        return HOSTILE


def test_a_text_has_no_methods_of_its_own():
    """What is shown of a subclass of str is its characters."""
    assert type(legible(Lies("a"))) is str
    assert legible(Lies("a" * MILLION)) == legible("a" * MILLION)


# What is shown of an exception. Each of these is raised where the backend computes.


def raising(error):
    def formula(ops, params, data):
        raise error() if callable(error) else error

    return formula


def its_number(ops, params, data):
    return ops.tensor(np.array(float(os.getpid())))


def with_text(make, kind="Hostile", base=Exception):
    """Return an exception whose text ``make`` makes."""
    return type(kind, (base,), {"__str__": lambda self: make()})()


def recursing(*others):
    return recursing(*others)


def chained(length):
    error = ValueError("first")
    for number in range(length):
        later = ValueError(str(number))
        later.__cause__ = error
        error = later
    return error


def in_a_circle():
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__context__ = other, one
    return one


def nested(depth):
    group = ValueError("inside")
    for _ in range(depth):
        group = ExceptionGroup("group", [group])
    return group


def noted(notes):
    error = ValueError("noted")
    error.__notes__ = notes
    return error


def with_bad_syntax():
    error = SyntaxError(HOSTILE)
    error.filename, error.lineno, error.text, error.offset = HOSTILE, -1, HOSTILE, "x"
    return error


class Unpicklable(Exception):
    """Holds what cannot travel, and cannot be made from its arguments."""

    def __init__(self, one, other):
        super().__init__("unpicklable")
        self.lock = threading.Lock()

    def __reduce__(self):
        raise TypeError("cannot be sent")


class HidesItsClass(Exception):
    """Raises when it is asked for its class, notes or cause."""

    @property
    def __class__(self):
        raise LookupError("no class")

    @property
    def __notes__(self):
        raise LookupError("no notes")


def with_a_false_name():
    def fail(cls):
        raise LookupError("no name")

    return type("Meta", (type,), {"__name__": property(fail)})("Nameless", (Exception,), {})()


def exceptions():
    """Return exceptions, or what makes them, with the kind and words that have to be shown."""
    return {
        "escapes": (ValueError(HOSTILE), "ValueError", f"ValueError: {ESCAPED}"),
        "long": (lambda: ValueError("a" * 10 * MILLION), "ValueError", " characters left out ...] aaa"),
        "long line of names": (
            lambda: ValueError(f"entries {list(range(MILLION))}"),
            "ValueError",
            "ValueError: entries [0, 1,",
        ),
        "only escapes": (lambda: ValueError("\x1b" * MILLION), "ValueError", r"ValueError: \x1b\x1b"),
        "name": (type(HOSTILE.replace("\x00", "").replace("\ud800", ""), (Exception,), {})("words"), r"\x1b[2J", ": words"),
        "long name": (type("a" * MILLION, (Exception,), {})("words"), "aaa", " characters left out ...] aaa"),
        "name of its own": (with_a_false_name, "Nameless", "numpy: Nameless"),
        "text raises": (with_text(lambda: 1 / 0), "Hostile", "Hostile: its text cannot be made: ZeroDivisionError"),
        "text exits": (with_text(lambda: sys.exit(3)), "Hostile", "Hostile: its text cannot be made: SystemExit"),
        "text is none": (with_text(lambda: 7), "Hostile", "Hostile: its text cannot be made: TypeError"),
        "text recurses": (with_text(lambda: recursing()), "Hostile", "Hostile: its text cannot be made: RecursionError"),
        "text takes memory": (with_text(lambda: "a" * 2**50), "Hostile", "Hostile: its text cannot be made: MemoryError"),
        "text is a subclass": (with_text(lambda: Lies("words")), "Hostile", "Hostile: words"),
        "empty": (ValueError(), "ValueError", "numpy: ValueError\nTraceback (most recent call last):"),
        "lines first": (ValueError("\n\n::error::words"), "ValueError", "numpy: ValueError: ::error::words\nTraceback"),
        "formats": (ValueError("%s %(a)s {} {0.__class__} [red]"), "ValueError", "%s %(a)s {} {0.__class__} [red]"),
        "not to be sent": (lambda: Unpicklable(1, 2), "Unpicklable", "Unpicklable: unpicklable"),
        "hides": (HidesItsClass, "HidesItsClass", "numpy: HidesItsClass"),
        "many notes": (lambda: noted(["\x1b note"] * 100_000), "ValueError", r"\x1b note"),
        "long note": (lambda: noted(["a" * 10 * MILLION]), "ValueError", " characters left out ...] aaa"),
        "notes that are none": (lambda: noted(7), "ValueError", "ValueError: noted"),
        "bad syntax": (with_bad_syntax, "SyntaxError", "its traceback cannot be made: "),
        "many members": (
            lambda: ExceptionGroup("group", [ValueError(HOSTILE)] * 5000),
            "ExceptionGroup",
            "(5000 sub-exceptions)",
        ),
        "nested": (lambda: nested(5000), "ExceptionGroup", "group (1 sub-exception)"),
        "recursion": (recursing, "RecursionError", "Previous line repeated"),
        "chain": (lambda: chained(10_000), "ValueError", "ValueError: 9999\n"),
        "circle": (in_a_circle, "ValueError", "ValueError: one"),
        "exit": (lambda: sys.exit(f"bye {HOSTILE}"), "SystemExit", f"SystemExit: bye {ESCAPED}\nTraceback"),
        "interrupt": (KeyboardInterrupt, "KeyboardInterrupt", "numpy: KeyboardInterrupt\nTraceback"),
        "generator": (GeneratorExit, "GeneratorExit", "numpy: GeneratorExit\nTraceback"),
        "echo": (ValueError("no OOM here, and no MemoryError"), "ValueError", "ValueError: no OOM here, and no MemoryError"),
    }


@pytest.fixture(scope="module")
def process():
    """A sound backend that computes what it is given."""
    process = Process("numpy", 60.0, 2.0)
    yield process
    process.stop()


@pytest.mark.parametrize("name", exceptions())
def test_an_exception_is_shown_whatever_it_is(process, name):
    """It is a failure with its type and words: legible, no more than can be read, and the backend lives on."""
    error, kind, words = exceptions()[name]
    before = process.call("apply", its_number, {}, {})
    process._traced.clear()  # they all come the same way
    with pytest.raises(Failed) as failed:
        process.call("apply", raising(error), {}, {})
    assert failed.value.kind.startswith(kind)
    assert words in str(failed.value)
    assert is_legible(failed.value.kind)
    assert is_legible(str(failed.value))
    assert str(failed.value).startswith("numpy: ")
    assert process.call("apply", its_number, {}, {}) == before


def test_an_answer_that_cannot_be_sent_is_a_failure(process):
    """Also where sending it raises what is no Exception."""
    for kind in (TypeError, SystemExit, KeyboardInterrupt):
        answer = type("Answer", (), {"__reduce__": lambda self, kind=kind: raising(kind(HOSTILE))(0, 0, 0)})
        with pytest.raises(Failed, match=rf"numpy: {kind.__name__}: \\x1b\[2J"):
            process.call("apply", lambda ops, params, data, answer=answer: ops.tensor(np.array([answer()], object)), {}, {})


def test_a_formula_that_exits_when_it_is_sent_is_a_failure(process):
    """It does not end the run."""
    sent = type("Sent", (), {"__reduce__": lambda self: sys.exit(HOSTILE)})()
    with pytest.raises(Failed, match=r"the formula cannot be sent: SystemExit: \\x1b\[2J"):
        process.call("apply", lambda ops, params, data: sent, {}, {})


def test_a_text_that_takes_too_long_is_a_matter_of_the_time_limit():
    """Nothing waits for it longer than for an answer."""
    with pytest.raises(TimedOut, match="gave no answer to 'apply' within 2 s"):
        Process("numpy", 2.0).call("apply", raising(with_text(lambda: time.sleep(10_000))), {}, {})


@pytest.mark.parametrize("end", [lambda: None, sys.exit, lambda: 1 / 0], ids=["returns", "exits", "raises"])
def test_a_forked_process_does_not_answer(process, end):
    """What a backend has forked and let go on, to its end or to an exception, is no second answer."""

    def forking(ops, params, data):
        if copy := os.fork():
            os.waitpid(copy, 0)
            return ops.tensor(np.array(7.0))
        end()
        return ops.tensor(np.array(1.0))

    for _ in range(2):
        assert process.call("apply", forking, {}, {}) == 7


def test_a_backend_that_exits_at_its_import_says_where():
    """sys.exit() in an adapter or a framework is an exception with a traceback, and not a death without a word."""
    process = Process("tests.meta.exits_at_import:Any", 60.0)
    for _ in range(2):
        with pytest.raises(Failed, match="cannot be loaded: SystemExit: not on this machine") as failed:
            process.call("describe")
    assert "exits_at_import.py" not in str(failed.value)
    process.stop()


def test_the_same_way_is_shown_once():
    """Of failures that alternate each traceback is shown once, whatever their texts, and the text each time."""
    process = Process("numpy", 60.0)
    shown = {}
    for number in range(6):

        def one(ops, params, data, number=number):
            raise ValueError(f"odd {number}\nof {number}")

        def other(ops, params, data, number=number):
            raise ValueError(f"even {number}")

        with pytest.raises(Failed) as failed:
            process.call("apply", one if number % 2 else other, {}, {})
        shown[number] = str(failed.value)
    process.stop()
    assert "Traceback" in shown[0]
    assert "Traceback" in shown[1]
    assert [shown[number] for number in range(2, 6)] == [
        "numpy: ValueError: even 2",
        "numpy: ValueError: odd 3",
        "numpy: ValueError: even 4",
        "numpy: ValueError: odd 5",
    ]


# What counts as out of memory.


# What a process prints.


def writing(code):
    """Return a formula that makes the process write, and how much is kept of it in the end."""

    def formula(ops, params, data):
        exec(code, {"os": os, "signal": signal, "time": time})
        return ops.tensor(np.array(0.0))

    return formula


def test_the_end_of_what_is_printed_is_kept_whole():
    """All that was written before the death, and no more than its end; a cut character is shown as its bytes."""
    process = Process("numpy", 60.0)
    code = "os.write(1, b'a' * 10 ** 6 + b'\\x1b[2J' + 'é'.encode() * 100 + b'THE END'); os.abort()"
    with pytest.raises(Crashed) as crashed:
        process.call("apply", writing(code), {}, {})
    _, _, words = str(crashed.value).partition("its last output was: ")
    assert words == "a" * (QUOTED - 211) + r"\x1b[2J" + "é" * 100 + "THE END"


def test_a_backend_may_print_without_end():
    """It is neither stopped nor slowed much, and what it prints takes no disk and no memory."""
    process = Process("numpy", 60.0)
    process.call("follows", np.zeros(1))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    process.call("apply", writing("for _ in range(3000): os.write(1, b'a' * 10 ** 5)"), {}, {})
    assert os.stat(f"/proc/{process._child.pid}/fd/1").st_size == 0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 * 2**10
    process.stop()


def test_who_is_left_behind_and_prints_does_not_hold_up_the_end():
    """What was written before the death of the backend is quoted, though others still write into the same pipe."""
    code = """
if os.fork() == 0:
    os.setsid()
    while True:
        os.write(1, b"behind\\n" * 1000)
time.sleep(0.2)
os.abort()
"""
    with pytest.raises(Crashed, match=r"(?s)SIGABRT.*its last output was: .*behind"):
        Process("numpy", 60.0).call("apply", writing(code), {}, {})


def test_a_log_is_what_was_written_before_it_is_closed():
    """Also where nothing or little was written, and where the end of file never comes, as somebody holds the pipe open."""
    for written, kept in ((b"", b""), (b"ab", b"ab"), (b"a" * 7 + b"bcde", b"bcde")):
        log = Log(4)
        other = os.dup(log.entrance)
        os.write(other, written)
        assert log.close() == kept
        os.close(other)


# What a run prints.


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["plain", "xdist"])
def test_a_run_prints_nothing_that_a_terminal_obeys(suite, workers):
    """Whatever the failures of a backend say: not on the terminal, not in the results; it is short."""
    names = ("SaysHostileThings", "RaisesHostileKinds", "ReturnsManyNames", "ReturnsLongArrays")
    backends = [word for name in names for word in ("--backend", f"tests.meta.adapters:{name}")]
    outcome = suite(*backends, "--case", "nand", "--dtype", "float64", *workers)
    assert outcome.status == 1
    assert "INTERNALERROR" not in outcome.text
    assert all(character.isprintable() or character in "\n\t" for character in outcome.text)
    assert len(outcome.text) < 500_000
    summary = outcome.text.partition("short test summary info")[2]
    assert "\n::" not in summary
    assert r"Long\x1b[2: \x1b[2J" in outcome.text
    for words in (r"ValueError: \x1b[2J", "returned entries ['0', '1', '10', '100'", "relu has the slopes [1.0, 1.0, 1.0"):
        assert words in outcome.text
        messages = [check["message"] for check in outcome.checks() if words in check["message"]]
        assert any(" characters left out ...] " in message for message in messages)
    assert all(is_legible(check["message"]) and check["verdict"] != "crashed" for check in outcome.checks())

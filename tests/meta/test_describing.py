"""Whatever an adapter declares, it is described: a value that raises, lies or never ends is a fault with its name."""

import dataclasses
import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from backends import declarations
from backends.base import Deviation, NativeLoss
from backends.numpy import Numpy
from backends.transport.engine import Engine
from report.schema import standard
from runner.recording import describe_backend
from tests.meta.test_declarations import SQUARES, adapter, declared


def raising(*_):
    raise LookupError("\x1b[2J")


def leaving(*_):
    raise SystemExit


class Leaves:
    """Ends the process when it is printed."""

    __repr__ = leaving


class Raises:
    """Whose every use raises."""

    __repr__ = __str__ = __hash__ = __eq__ = __iter__ = __len__ = __bool__ = __float__ = __getattribute__ = raising


class Screams(Raises):
    """Whose repr is long and moves the cursor."""

    def __repr__(self):
        return "\x1b[2J\ud800" * 10**6


class Pretends:
    """Calls itself a str, as far as isinstance asks it."""

    __class__ = str


class Text(str):
    """A str that says something else each time it is used."""

    __slots__ = ()
    __str__ = __repr__ = __eq__ = __hash__ = __len__ = __iter__ = isprintable = strip = raising


class Number(float):
    """A float that compares with nothing."""

    __repr__ = __eq__ = __le__ = __ge__ = __pos__ = __float__ = __hash__ = raising


class Endless(dict):
    """A dict that has no end."""

    def items(self):
        return ((str(number), "none") for number in itertools.count())


class Uneven(dict):
    """A dict whose items are no pairs."""

    def items(self):
        return [(1, 2, 3), 4]


class NoMapping(dict):
    """A dict that cannot be read."""

    items = keys = __iter__ = __len__ = __getitem__ = raising


class EndlessTuple(tuple):
    """A tuple that has no end."""

    __slots__ = ()

    def __iter__(self):
        return itertools.repeat("float64")


class Metaclass(type):
    """A class without a name."""

    __name__ = property(raising)
    __subclasscheck__ = __instancecheck__ = raising


NAMELESS = Metaclass("Nameless", (), {})()


SELF = []
SELF.append(SELF)


VALUES = (
    None, True, 3, -1, 0.5, -0.0, 10**400, 10**5000, np.nan, np.inf, 1j, b"x", "", " ", "x", "x" * 10**6, "\x1b[2J", "\ud800",
    "a\nb", np.float32(0), np.float64(0.5), np.array(0.0), np.zeros(2), np.str_("epsilon"), np.bool_(1), {1}, [], (), {}, SELF,
    object(), int, max, Raises(), Screams(), Pretends(), Text("epsilon"), Number(0.5), NAMELESS, iter("ab"), range(9),
    Endless(), Uneven(a="b"), NoMapping(a="b"), EndlessTuple("ab"), property(raising), property(leaving), Leaves(),
)  # fmt: skip


ATTRIBUTES = (*declarations.KINDS, "deviations")


BACKEND = Draft202012Validator({"$ref": "#/$defs/backend", "$defs": standard()["$defs"]})


def check_description(attributes):
    """Describe an adapter that declares ``attributes``: faults that can be printed, or what a results file may hold."""
    description = Engine(adapter(attributes)).describe()
    faults = description.pop("faults")
    assert all(type(fault) is str and fault.isprintable() and len(fault) <= 2000 * 10 for fault in faults)
    text = json.dumps(describe_backend(description), allow_nan=False)
    text.encode("ascii")
    if not faults:
        BACKEND.validate(json.loads(text))
    assert not foreign(description)
    return faults


def foreign(value):
    """Return the types in a description that are not Python's own: to unpickle them would import an adapter's module."""
    if type(value) in (dict, list, tuple):
        parts = [*value.items()] if type(value) is dict else value
        return set().union(*map(foreign, parts)) if parts else set()
    return {type(value)} - {str, int, float, bool}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_no_declaration_stops_a_description(name):
    """Whatever an adapter declares, alone or inside what is expected, there is a fault or what a results file may hold."""
    found = [check_description({name: value}) for value in VALUES]
    assert sum(map(bool, found)) > len(VALUES) / 2


WRAPPED = {
    "modes": lambda value: {"gradient": value, "training": "eager"},
    "unsupported_levels": lambda value: {"class": value},
    "unsupported": lambda value: {("float64", "exp"): value},
    "names": lambda value: {"exp": value},
    "numeric": lambda value: Numpy.numeric | {"float32 matmul": value},
    "native_losses": lambda value: [value],
    "deviations": lambda value: [value],
}


@pytest.mark.parametrize("name", WRAPPED)
def test_no_entry_stops_a_description(name):
    """So it is with what lies inside a declaration."""
    for value in VALUES:
        check_description({name: WRAPPED[name](value)})


@pytest.mark.parametrize("kind", [Deviation, NativeLoss])
def test_no_field_stops_a_description(kind):
    """So it is with every field of a Deviation and a NativeLoss, also where an array makes == ambiguous."""
    sound = SQUARES if kind is NativeLoss else declared(absolute=1)["deviations"][0]
    attribute = "native_losses" if kind is NativeLoss else "deviations"
    for field in dataclasses.fields(kind):
        for value in VALUES:
            check_description({attribute: (dataclasses.replace(sound, **{field.name: value}),) * 2})


WORDS = ("class", "modules", "exp", "float64", "gradient", "eager", "sum", ("float64", "exp"))


LEAVES = st.integers(0, len(VALUES) - 1).map(lambda index: VALUES[index]) | st.sampled_from(WORDS)


NESTED = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.sampled_from(["class", "gradient", "training", 3, ("float64", "exp")]), inner, max_size=3)
        | st.builds(Deviation, *[inner] * 5, absolute=inner, widens=inner, values=inner, place=inner)
        | st.builds(NativeLoss, *[inner] * 4)
    ),
    max_leaves=8,
)


@settings(max_examples=200, derandomize=True, database=None, deadline=None)
@given(st.dictionaries(st.sampled_from(ATTRIBUTES), NESTED, min_size=1, max_size=3))
def test_nothing_stops_a_description(attributes):
    """So it is with any of these, nested in any way."""
    check_description(attributes)

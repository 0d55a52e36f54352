"""Adapters with a fault, judged as ``--backend tests.meta.adapters:Name``. Each differs from a sound one in one thing."""

from __future__ import annotations

import ctypes
import itertools
import os
import signal
import sys
import time
from typing import Any, ClassVar

import numpy as np

from arithmetic.tape import Taped
from backends.base import Backend, Deviation
from backends.numpy import Numpy
from backends.training import Training
from tests.meta.layered import Layered
from vocabulary.words import DTYPES


class Sound(Numpy):
    """No fault at all."""


class ForgetsAName(Numpy):
    """One parameter has no gradient."""

    def value_and_grad(self, loss: Any, params: Any, data: Any) -> Any:
        value, gradient = super().value_and_grad(loss, params, data)
        gradient.popitem()
        return value, gradient


class StaleDeclaration(Numpy):
    """Declares a deviation that it does not have."""

    deviations = (Deviation("tanh", ("float64",), reason="none", size="none", link="none", absolute=2),)


class FalselyUnsupported(Numpy):
    """Declares as unsupported what works."""

    unsupported: ClassVar = {("float64", "log"): "not at all"}


class LooseDeclaration(Numpy):
    """Has a coarse sigmoid, and declares a far coarser one."""

    deviations = (Deviation("sigmoid", ("float64",), reason="none", size="none", link="none", absolute=1e6),)

    def function(self, name: str, x: np.ndarray) -> np.ndarray:
        y = super().function(name, x)
        return y + y.dtype.type(1e-14) if name == "sigmoid" else y


class ExcusesItself(Numpy):
    """Declares that it lacks one operation, and raises in all."""

    unsupported: ClassVar = {("float64", "tanh"): "no tanh here"}

    def value_and_grad(self, loss: Any, params: Any, data: Any) -> Any:
        raise ZeroDivisionError("nothing works")


class Short(Numpy):
    """Training ends after five steps."""

    def train(self, *arguments: Any) -> Any:
        return itertools.islice(super().train(*arguments), 5)


class Raises(Numpy):
    """Has no logarithm."""

    def log(self, x: Taped) -> Taped:
        raise ArithmeticError("no logarithm today")


class Aborts(Numpy):
    """The process dies in native code."""

    def log(self, x: Taped) -> Taped:
        os.abort()


class Segfaults(Numpy):
    """The process is killed by a signal of its own making."""

    def log(self, x: Taped) -> Taped:
        os.kill(os.getpid(), signal.SIGSEGV)
        raise AssertionError


class Exits(Numpy):
    """The process leaves without a word, having printed something."""

    def log(self, x: Taped) -> Taped:
        print("leaving now", flush=True)
        os._exit(7)


class _LogAlone(Numpy):
    """Has no logsumexp: one operation of the contract uses log."""

    unsupported: ClassVar = {(dtype, "logsumexp"): "it would use log" for dtype in DTYPES}

    def logsumexp(self, x: Taped, axis: int) -> Taped:
        raise NotImplementedError


class Hangs(_LogAlone):
    """No answer ever comes."""

    def log(self, x: Taped) -> Taped:
        time.sleep(10_000)
        raise AssertionError


class Prints(Numpy):
    """Writes to standard output what looks like nothing at all."""

    def log(self, x: Taped) -> Taped:
        os.write(1, b"\x00\xff garbage \n" * 1000)
        return super().log(x)


class ClosesPipe(Numpy):
    """Closes its end of the pipe and lives on."""

    def log(self, x: Taped) -> Taped:
        os.closerange(3, 64)
        time.sleep(10_000)
        raise AssertionError


class RealTimeSignal(Numpy):
    """Is killed by a signal without a name."""

    def log(self, x: Taped) -> Taped:
        os.kill(os.getpid(), 40)
        raise AssertionError


class Incomplete(Backend):
    """Brings a name and no methods."""

    name = "incomplete"


class NotABackend:
    """Is something else."""


class SegfaultsInC(Numpy):
    """Native code reads what is not there."""

    def log(self, x: Taped) -> Taped:
        return ctypes.string_at(0)


class HangsInC(_LogAlone):
    """No answer ever comes, from native code that keeps Python's lock."""

    def log(self, x: Taped) -> Taped:
        return ctypes.PyDLL(None).pause()


class Hoards(Numpy):
    """Fills memory little by little."""

    def log(self, x: Taped) -> Taped:
        hoard = []
        while True:
            hoard.append(np.ones(2**20))


class HoardsInC(Numpy):
    """Fills memory in native code, which aborts without a word once it is refused more."""

    def log(self, x: Taped) -> Taped:
        libc = ctypes.CDLL(None)
        libc.malloc.restype = ctypes.c_void_p
        while block := libc.malloc(ctypes.c_size_t(2**23)):
            ctypes.memset(block, 1, 2**23)
        os.abort()


class AsksTooMuch(Numpy):
    """Catches its own failure to allocate, as a framework with errors of its own does."""

    def log(self, x: Taped) -> Taped:
        try:
            np.ones(2**40)
        except MemoryError as error:
            words = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 8796093022208 bytes"
            raise RuntimeError(words) from error


class GarblesItsPipe(Numpy):
    """Writes into the pipe in which its answers go."""

    def log(self, x: Taped) -> Taped:
        os.write(int(sys.argv[1]), b"\x00\xff garbage \n" * 1000)
        return super().log(x)


class LastWords(Numpy):
    """Dies over a line that it does not end and that no terminal should be shown."""

    def log(self, x: Taped) -> Taped:
        os.write(2, b"\x1b[2J\x00\xff fatal: no backe")
        os.abort()


class DiesTraining(Numpy):
    """Is killed after five steps of a training run."""

    def train(self, *arguments: Any) -> Any:
        yield from itertools.islice(super().train(*arguments), 5)
        os.kill(os.getpid(), signal.SIGKILL)


class LeavesOthers(Numpy):
    """Dies, and leaves behind a process of its own that holds its end of the pipe open."""

    def log(self, x: Taped) -> Taped:
        if os.fork():
            os.abort()
        time.sleep(10_000)
        raise AssertionError


class LeavesTheSession(Numpy):
    """Dies, and leaves behind a process in a session of its own, for a while."""

    def log(self, x: Taped) -> Taped:
        if os.fork():
            os.abort()
        os.setsid()
        time.sleep(30)
        os._exit(0)


# What would clear a terminal, name its window, write over a line, and turn the text around.
HOSTILE = "\x1b[2J\x1b]0;title\x07\r\u202e\ud800\n::error::words\n"


class SaysHostileThings(Numpy):
    """Fails with a text that no terminal should be shown, and a long one."""

    def log(self, x: Taped) -> Taped:
        raise ValueError(HOSTILE + "a" * 10**7 + HOSTILE)


class RaisesHostileKinds(Numpy):
    """Fails with an exception whose class has such a name."""

    def tanh(self, x: Taped) -> Taped:
        raise type(f"Long{HOSTILE[:3]}", (Exception,), {})(HOSTILE)


class ReturnsManyNames(Numpy):
    """Gradients have entries that nobody has asked for."""

    def value_and_grad(self, loss: Any, params: Any, data: Any) -> Any:
        value, _ = super().value_and_grad(loss, params, data)
        return value, {str(number): value for number in range(10**4)}


class ReturnsLongArrays(Numpy):
    """Gradients have far more numbers than the parameters."""

    def value_and_grad(self, loss: Any, params: Any, data: Any) -> Any:
        value, gradient = super().value_and_grad(loss, params, data)
        return value, dict.fromkeys(gradient, self.tensor(np.ones(10**5)))


class MissingLayer(Layered):
    """Gives back the parameters of all layers but the last."""

    def fit(self, training: Training) -> Any:
        for value, gradient, weights in super().fit(training):
            yield value, gradient, weights[:-2]

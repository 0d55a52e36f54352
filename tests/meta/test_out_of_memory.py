"""A backend that runs out of memory is told from one that fails otherwise: by its words, and by the type of what it raises."""

import errno
import resource

import pytest

from backends.memory import is_refused, memory_is_limited

REFUSALS = {
    "torch": (
        "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate "
        "4398046511104 bytes. Error code 12 (Cannot allocate memory)"
    ),
    "torch on Windows": "DefaultCPUAllocator: not enough memory: you tried to allocate 5077901088 bytes.",
    "tensorflow": (
        "{{function_node __wrapped__Fill_device_/job:localhost/replica:0/task:0/device:CPU:0}} OOM when allocating tensor with "
        "shape[16777216] and type float on /job:localhost/replica:0/task:0/device:CPU:0 by allocator mklcpu [Op:Fill] name: "
    ),
    "tensorflow eager": "failed to allocate memory [Op:AddV2]",
    "jax": "RESOURCE_EXHAUSTED: Out of memory allocating 8796093022208 bytes.",
    "jax compiled": (
        "INTERNAL: Buffer Definition Event: Error preparing computation: Out of memory allocating 143165576 bytes."
    ),
    "older jax": "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 4770354232 bytes.\nBufferAssignment OOM",
    "mxnet": (
        'Traceback (most recent call last):\n  File "../src/storage/./cpu_device_storage.h", line 74\n'
        "MXNetError: Failed to allocate CPU Memory"
    ),
    "older mxnet": "[10:22:33] src/storage/./cpu_device_storage.h:73: Failed to allocate CPU Memory\nStack trace:",
    "C++": "std::bad_alloc",
    "C++, at its end": "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc",
    "numpy, at its end": (
        'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\n'
        "numpy.core._exceptions._ArrayMemoryError: Unable to allocate 8.00 TiB for an array with shape (1099511627776,)"
    ),
    "Python, at its end": "Traceback (most recent call last):\n    x = bytes(x)\nMemoryError",
    "the C library": "OSError: [Errno 12] Cannot allocate memory: '/usr/lib'",
    "the loader": "cannot allocate memory for thread-local data: ABORT",
    "OpenBLAS": "OpenBLAS error: Memory allocation still failed after 10 retries, giving up.",
    "MKL": "Intel oneMKL FATAL ERROR: memory allocation error.",
}


ECHOES = {
    "a word": "no OOM here",
    "another word": "this is no MemoryError: the shape is wrong",
    "a denial": "not out of memory, and nothing that failed to allocate",
    "our own source": (
        'Traceback (most recent call last):\n  File "process.py", line 313, in _raised\n'
        "    if isinstance(error, MemoryError) or REFUSED.search(str(error)):\nTypeError: __str__ returned non-string"
    ),
    "TLS": "libgomp.so.1: cannot allocate memory in static TLS block",
    "a file system without execution": "libz.so.1: failed to map segment from shared object: Operation not permitted",
    "another device": "CUDA out of memory. Tried to allocate 20.00 MiB",
    "C++ that is caught": "caught std::bad_alloc, trying again",
}


@pytest.mark.parametrize("name", REFUSALS)
def test_whole_sentences_are_out_of_memory(name):
    """What frameworks and libraries say when a block is refused, however little was held."""
    assert is_refused(RuntimeError(), REFUSALS[name])


@pytest.mark.parametrize("name", ECHOES)
def test_words_are_not_out_of_memory(name):
    """A word that is quoted or denied, or that means something else."""
    assert not is_refused(RuntimeError(), ECHOES[name])


def test_what_is_out_of_memory_by_its_type():
    """MemoryError, its subclasses, and ENOMEM."""
    assert is_refused(MemoryError(), "")
    assert is_refused(type("_ArrayMemoryError", (MemoryError,), {})(), "")
    assert is_refused(OSError(errno.ENOMEM, "words"), "words")
    assert not is_refused(OSError(errno.ENOENT, "words"), "words")


@pytest.mark.skipif(not memory_is_limited(), reason="memory cannot be limited on this platform")
def test_near_the_limit_words_are_enough(monkeypatch):
    """Who has held half of what it was granted, and speaks of allocating, is out of memory; who speaks of shapes is not."""
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    for times, near in ((1.9, True), (2.1, False)):
        monkeypatch.setattr(resource, "getrlimit", lambda which, times=times: (int(held * times), -1))
        assert is_refused(ImportError(), "libx.so: failed to map segment from shared object") == near
        assert not is_refused(ValueError(), "shapes differ")

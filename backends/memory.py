"""What a backend may allocate, and when it is out of memory.

It is out of memory in three cases, and in no other:

- It raises a MemoryError, or an OSError of ENOMEM.
- Its exception, or the end of what it printed before it died, has a whole sentence in which a framework or a library says
  that a block was refused to it (REFUSED), however little the process held: one huge block is refused to a small process.
  A word such as OOM is no sentence: it may be quoted, or denied.
- It had held at least the share NEAR of its limit, and either died or raised an exception that mentions allocation (SUSPECTED).
"""

from __future__ import annotations

import contextlib
import errno
import re
import sys

GIB = 2**30
# A process that holds this share of its limit is near it: a buffer that doubles would be refused.
NEAR = 0.5
REFUSED = re.compile(
    "|".join(
        (
            r"DefaultCPUAllocator: (can't allocate|not enough) memory: you tried to allocate \d",  # PyTorch
            r"OOM when allocating (temporary )?tensor (with|of) shape ?\[",  # TensorFlow
            r"failed to allocate memory \[Op:\w+\]",  # TensorFlow's eager operations
            r"Out of memory (allocating|while trying to allocate) \d",  # XLA, of JAX and TensorFlow
            r"Failed to allocate request for \d.* on device ordinal \d",  # XLA before 2021
            r"(^|: )Failed to allocate CPU Memory$",  # MXNet
            r"^(\w+: | +what\(\): +)?std::bad_alloc$",  # C++, of any framework
            r"^terminate called after throwing an instance of 'std::bad_alloc'$",
            r"^[\w.]*MemoryError(: .*)?\Z",  # Python's last words
            r"(: |\[Errno 12\] )Cannot allocate memory",  # the C library on ENOMEM
            r"^cannot allocate memory for thread-local data: ABORT$",
            r"^Intel (one)?MKL FATAL ERROR: memory allocation error",
            r"^OpenBLAS error: Memory allocation still failed",
        )
    ),
    re.MULTILINE,
)
SUSPECTED = re.compile(r"out of memory|bad_alloc|(cannot|can't|failed to) (allocate|map)", re.IGNORECASE)


def memory_is_limited() -> bool:
    """Whether the platform can refuse a process more memory than it was granted."""
    return sys.platform == "linux"  # elsewhere RLIMIT_DATA is missing or not heeded


def limit_memory(process: int, gib: float) -> None:
    """Limit a process that has just started, from outside: by the time that it could do so it holds all that it imports."""
    import resource  # not on every platform

    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    # What is written to counts, and not the address space that is only reserved, of which frameworks take far more.
    granted = int(min(gib * GIB, sys.maxsize if most == resource.RLIM_INFINITY else most))
    with contextlib.suppress(ProcessLookupError):  # it has ended already
        resource.prlimit(process, resource.RLIMIT_DATA, (granted, granted))


def is_refused(error: BaseException, text: str) -> bool:
    """Whether ``error``, which says ``text``, means that this process is out of memory."""
    kind = type(error)
    if issubclass(kind, MemoryError) or (issubclass(kind, OSError) and vars(OSError)["errno"].__get__(error) == errno.ENOMEM):
        return True
    return bool(REFUSED.search(text) or (SUSPECTED.search(text) and _is_near_its_limit()))


def _is_near_its_limit() -> bool:
    if not memory_is_limited():
        return False
    import resource

    granted, _ = resource.getrlimit(resource.RLIMIT_DATA)
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return granted != resource.RLIM_INFINITY and held >= NEAR * granted

"""What a framework has compiled is kept for later runs, for the same processor, and never believed where it is damaged."""

import importlib.util

import pytest

import cases
from backends import ABOUT, caches
from backends.compiled import DIGESTS, cleanse, note
from backends.transport.process import Process

LIMIT = 120.0
NAND = cases.builtin()["nand"]


def test_a_folder_for_each_framework(tmp_path):
    """Those that keep what they compile name the variable; two have no folder in common."""
    found = caches(tmp_path)
    assert sorted(found) == sorted(about.cache for about in ABOUT.values() if about.cache)
    assert len(set(found.values())) == len(found) > 0


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs JAX")
@pytest.mark.parametrize("left", [0, 0.5], ids=["empty", "cut"])
def test_damage_is_not_believed(left, tmp_path, monkeypatch):
    """JAX compiles anew what it cannot read, and computes the same bits."""
    monkeypatch.delenv(ABOUT["jax"].cache)  # which all runs of these tests have in common
    first = bits(tmp_path)
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert kept
    assert bits(tmp_path) == first
    for path in kept:
        content = path.read_bytes()
        path.write_bytes(content[: int(left * len(content))])
    assert bits(tmp_path) == first


def test_what_has_changed_since_is_removed(tmp_path):
    """So that it is compiled and kept anew; so is what no run has noted, and all of it where the notes are damaged."""

    def left():
        return sorted(path.name for path in tmp_path.rglob("*") if path.is_file() and path.name != DIGESTS)

    (tmp_path / "jax").mkdir()
    for name in ("whole", "cut"):
        (tmp_path / "jax" / name).write_bytes(b"compiled")
    note(tmp_path)
    (tmp_path / "jax" / "cut").write_bytes(b"")
    (tmp_path / "jax" / "unknown").write_bytes(b"compiled")
    cleanse(tmp_path)
    assert left() == ["whole"]
    (tmp_path / DIGESTS).write_text("[")
    cleanse(tmp_path)
    assert left() == []


def bits(folder):
    """Return the bits of a gradient that a new process computes."""
    params, data = NAND.at("float64")
    process = Process("jax", LIMIT, cache=folder)
    try:
        [(value, gradient)] = process.call("gradients", NAND.loss, [params], data)
    finally:
        process.stop()
    return [array.tobytes() for array in (value, *gradient.values())]

"""Results of a small run, altered in memory, and written where the report finds them."""

import copy
import json


def in_environment(document, name):
    return document | {"run": document["run"] | {"environment": name}}


def written(folder, *documents):
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{number}.json" for number in range(len(documents))]
    for path, document in zip(paths, documents, strict=True):
        path.write_text(json.dumps(document))
    return paths


def moved(document, quantity, **change):
    """Change the checks of a quantity of autograd."""
    for record in document["records"]:
        if record["kind"] == "check" and record["backend"] == "autograd" and record["quantity"] == quantity:
            record |= change


def redden(document, test):
    for record in document["records"]:
        if record.get("test") == test:
            record |= {"verdict": "deviates", "message": "off by much", "declared": None}
    return document


def cut(document):
    return document | {"records": document["records"][: len(document["records"]) // 2], "complete": False}


def without(document, **facts):
    kept = [r for r in document["records"] if not (facts.items() <= r.items())]
    return document | {"records": kept}


def crashed(document, backend):
    """Let a backend give no answer: it has no description, and each test has one check, of another name."""
    records = []
    for record in document["records"]:
        if record.get("name") == backend and record["kind"] == "backend":
            continue
        if record.get("backend") == backend and record["kind"] != "check":
            continue
        if record.get("backend") == backend:
            if any(
                record["test"] == one["test"]
                and record["case"] == one["case"]
                and one.get("backend") == backend
                and record["dtype"] == one["dtype"]
                and record["level"] == one["level"]
                for one in records
                if one["kind"] == "check"
            ):
                continue
            facts = ("kind", "backend", "level", "dtype", "case", "test", "duration")
            record = {name: record[name] for name in facts} | {
                "mode": "compiled", "quantity": "answer", "verdict": "crashed", "message": "gone", "declared": None,
            }  # fmt: skip
        records.append(record)
    return document | {"records": records}


def in_another_mode(document, **facts):
    """Return the document with a second, compiled, check of each that has these facts."""
    more = [r | {"mode": "compiled"} for r in document["records"] if {"kind": "check", **facts}.items() <= r.items()]
    return document | {"records": [*document["records"], *more]}


def altered(document, change):
    document = copy.deepcopy(document)
    change(document)
    return document

"""Text of a results file is shown as text: no page, terminal or table obeys it."""

import json
import re

import pytest
from markdown_it import MarkdownIt

from report.document import DocumentError, escaped
from tests.meta.documents import DOCUMENT, at, page_of, places, put

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

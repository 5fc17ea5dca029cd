"""Texts that would act if a page took them for markup, and how they get into every text a database has.

Each calls `xss7q`, or bears the name, so that a page betrays itself wherever the name stands outside of a text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

from psycopg import sql
from psycopg.errors import DatabaseError
from psycopg.types.json import Jsonb

from shared.db.connect import Connection
from shared.records.exchanges import pack

NAME = "xss7q"
SCRIPT_URLS = (
    "javascript:xss7q()", "JaVaScRiPt:xss7q()", "java\tscript:xss7q()", "\x01javascript:xss7q()",
    "data:text/html,<script>xss7q()</script>", "vbscript:xss7q()", "javascript://example.org/%0axss7q()",
)  # fmt: skip
TEXTS = (
    "<script>xss7q()</script>",
    "</title><script>xss7q()</script>",
    "</textarea><script>xss7q()</script>",
    "</script><script>xss7q()</script>",
    "--><script>xss7q()</script><!--",
    "]]><script>xss7q()</script>",
    "<scr<script>ipt>xss7q()</scr</script>ipt>",
    "<SCRIPT SRC=//xss7q.example></SCRIPT>",
    "<img src=x onerror=xss7q()>",
    "<img src=x onerror=xss7q()//",
    "\"><img src=x onerror='xss7q()'>",
    "'><img src=x onerror=\"xss7q()\">",
    "\" autofocus onfocus=xss7q() data-xss7q=\"",
    "' onmouseover='xss7q()' data-xss7q='",
    "` onclick=`xss7q()",
    "x onpointerenter=xss7q() style=x:xss7q",
    "<svg onload=xss7q()>",
    "<svg><script>xss7q()</script></svg>",
    "<svg><a xlink:href=\"javascript:xss7q()\"><text>x</text></a></svg>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=xss7q()>",
    "<iframe srcdoc=\"<script>xss7q()</script>\"></iframe>",
    "<object data=\"javascript:xss7q()\"></object><embed src=xss7q>",
    "<base href=//xss7q.example/>",
    "<meta http-equiv=refresh content=\"0;url=javascript:xss7q()\">",
    "<link rel=stylesheet href=//xss7q.example>",
    "<style>@import'//xss7q.example';*{background:url(//xss7q.example)}</style>",
    "<form action=//xss7q.example><button formaction=javascript:xss7q()>x</button></form>",
    "<details open ontoggle=xss7q()>",
    "<b id=xss7q name=xss7q class=xss7q style=\"x:expression(xss7q())\">x</b>",
    "&lt;script&gt;xss7q()&lt;/script&gt;",
    "&#60;img src=x onerror=xss7q()&#62;&quot;&#34;&apos;",
    "\\u003cscript\\u003exss7q()\\u003c/script\\u003e",
    "%3Cscript%3Exss7q()%3C/script%3E",
    "{{7*191}}{% raw %}{{ xss7q }}${7*191}#{7*191}",
    "[click](javascript:xss7q()) ![x](x\"onerror=\"xss7q())",
    "＜script＞xss7q()＜/script＞",
    "\u202e<img src=x onerror=xss7q()>\u202c",
    "<\u200bscript>\ufeffxss7q()</script>",
    "\u2028<script>xss7q()</script>\u2029",
    "+ADw-script+AD4-xss7q()+ADw-/script+AD4-",
    "=cmd|'/c xss7q'!A1",
    *SCRIPT_URLS,
)  # fmt: skip
"""Forty-eight; the tests ask for more than thirty. Nothing a column of PostgreSQL could not hold."""

# What code compares with: a word out of a list of ours, a time, an id, a hash. Nobody outside chooses it freely.
WORDS = frozenset(
    [
        "state",
        "stage",
        "flow",
        "kind",
        "slug",
        "interface",
        "role",
        "mode",
        "event",
        "outcome",
        "from_state",
        "to_state",
        "side",
        "verb",
        "code",
        "language",
        "theme",
        "time_zone",
        "frequency",
        "severity",
        "part",
        "token",
        "hash",
        "password_hash",
        "zone",
        "cause",
        "fingerprint",
        "operation",
        "status",
        "origin",
        "every_day",
        "day_from",
        "day_until",
        "media_type",
        "method",
        "resource",
        "sort",
        "marketplace",
        "erp",
        "version",
        "on",
        "scope",
        "class",
        "phase",
        "place",
    ]
)
OURS = frozenset({"schema_migrations", "words_of_search"})
KEPT_IN_JSON = frozenset(
    [
        "code",
        "specversion",
        "type",
        "time",
        "interface",
        "ordered_at",
        "changed_at",
        "status",
        "state",
        "event",
        "base_url",
        "kind",
        "outcome",
        "method",
        "operation",
        "number_of",
        "quantity",
    ]
)
VALUES = dict.fromkeys(["payment", "system", "alert", "summary", "service", "detail", "message"], "x")
LEADING = frozenset({"href", "src", "action", "formaction"})
CHECKED_AS_URL = re.compile(r"url|link|href")


def joined(start: int) -> str:
    """All of them in one text, begun with another one for each place."""
    start %= len(TEXTS)
    return " ".join(TEXTS[start:] + TEXTS[:start])


def furnish(conn: Connection, ids: Mapping[str, str]) -> None:
    """Rows for the texts that the seeded day does without, so that each has a place to stand in."""
    failed = int(ids["failed"])
    call = {
        "operation": "create-order", "method": "POST", "target": "/orders", "status": 422, "seconds": 0.2,
        "wrong": joined(3), "request": {"text": joined(1), "left_out": 0},
        "response": {"text": joined(2), "left_out": 0},
    }  # fmt: skip
    conn.execute("DELETE FROM exchanges WHERE record_id = %s", (failed,))
    conn.execute("INSERT INTO exchanges(record_id, claim_no, body) VALUES (%s, 2, %s)", (failed, pack([call])))
    conn.execute("UPDATE attempts SET detail = %s", (Jsonb({"status": {"status": "x"}, "detail": "x"}),))
    conn.execute(
        "INSERT INTO causes(cause, note, noted_by, noted_at, assignee, assigned_by, assigned_at, acknowledged_by,"
        " acknowledged_at) SELECT DISTINCT cause, 'x', 'x', now(), 'x', 'x', now(), 'x', now() FROM troubles"
    )
    conn.execute(
        "INSERT INTO ignored(record_id, state, actor, why) SELECT id, 'failed', 'x', 'x' FROM records"
        " WHERE state = 'skipped'"
    )
    conn.execute("UPDATE records SET code = 'ignored' WHERE id IN (SELECT record_id FROM ignored)")
    conn.execute("INSERT INTO free_days(day, name) SELECT current_date + n, 'x' FROM generate_series(1, 5) n")
    conn.execute(
        "INSERT INTO maintenance(starts, ends, note, created_by) VALUES (now(), now() + interval '1 day', 'x', 'x')"
    )
    conn.execute(
        "INSERT INTO views(owner, name, resource, filter, sort, shared) SELECT u.name, 'x' || n, r, 'x', '', true"
        " FROM users u, generate_series(1, 5) n, unnest('{orders,exports,articles}'::text[]) r"
    )
    conn.execute("UPDATE articles SET foreign_sku = 'x' || record_id")
    conn.execute("UPDATE sessions SET agent = 'x'")
    conn.execute("UPDATE rejections SET reason = 'x', resolved_by = 'x', source = 'x', event_id = 'x', origin = '{}'")
    conn.execute("UPDATE shipments SET remote = 'x', remarks = %s", (Jsonb(["x"]),))
    conn.execute("UPDATE bulk_runs SET why = 'x', filter = 'x', ended_by = 'x'")
    conn.execute(
        "UPDATE incidents SET problem = %s", (Jsonb({"code": "payment-unmapped", "field": "x", "values": VALUES}),)
    )
    conn.execute(
        "INSERT INTO received_alerts(key, name, summary, severity, starts_at) VALUES ('x', 'x', 'x', 'error', now())"
    )
    conn.execute("INSERT INTO alarm_answers(incident, by) SELECT id, 'x' FROM incidents")
    conn.execute(
        "INSERT INTO mails(recipient, kind, message_id, state, reply) SELECT id, 'test', 'x', 'refused', 'x'"
        " FROM recipients"
    )


def soil(conn: Connection) -> list[str]:
    """Put all of them into every text there is; the columns it reached, as `table.column`, in alphabetical order.

    Left alone: what code compares with (`WORDS`), and what a constraint of the database refuses.
    """
    reached = []
    # Nobody changes the audit; who seals it comes afterwards.
    conn.execute("ALTER TABLE audit DISABLE TRIGGER USER")
    columns = conn.execute(
        "SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c JOIN"
        " information_schema.tables t USING (table_schema, table_name) WHERE c.table_schema = current_schema()"
        " AND t.table_type = 'BASE TABLE' AND c.is_generated = 'NEVER'"
        " AND (c.data_type IN ('text', 'jsonb', 'ARRAY', 'bytea')) ORDER BY 1, 2"
    ).fetchall()
    for table, column, kind in columns:
        if column not in WORDS and table not in OURS and _soiled(conn, table, column, kind):
            reached.append(f"{table}.{column}")
    return reached


def _soiled(conn: Connection, table: str, column: str, kind: str) -> bool:
    names = {"table": sql.Identifier(table), "column": sql.Identifier(column)}
    found = conn.execute(
        sql.SQL("SELECT ctid::text, tableoid::regclass::text, {column} FROM {table} WHERE {column} IS NOT NULL").format(
            **names
        )
    ).fetchall()
    done = 0
    for no, (place, part, value) in enumerate(found):
        hostile = _hostile(value, no, kind, column)
        if hostile is None:
            continue
        # Where all of them are too long for a column, one of them, and another one in each row.
        tries = (hostile, TEXTS[no % len(TEXTS)], TEXTS[no % 2]) if kind == "text" else (hostile,)
        update = sql.SQL("UPDATE {part} SET {column} = %s WHERE ctid = %s::tid").format(
            part=sql.SQL(part), column=names["column"]
        )
        done += any(_put(conn, update, text, place) for text in tries)
    return bool(done)


def _put(conn: Connection, update: sql.Composed, text: Any, place: str) -> bool:
    try:
        with conn.transaction():
            conn.execute(update, (text, place))
    except DatabaseError:
        return False
    return True


def _hostile(value: Any, no: int, kind: str, column: str) -> Any:
    if kind == "text":
        return f"{value[:12]} {no} {joined(no)}" if not CHECKED_AS_URL.search(column) else SCRIPT_URLS[no % 7]
    if kind == "jsonb":
        return json.dumps(within(value, no), ensure_ascii=False)
    if kind == "ARRAY":
        return [joined(no)] if value and isinstance(value[0], str) else None
    try:
        return json.dumps(within(json.loads(bytes(value)), no), ensure_ascii=False).encode()
    except ValueError:
        return None


def within(value: Any, no: int, key: str = "") -> Any:
    """The same JSON with hostile texts; what code compares with stays."""
    if isinstance(value, dict):
        return {name: within(one, no, name) for name, one in value.items()}
    if isinstance(value, list):
        return [within(one, no + at, key) for at, one in enumerate(value)]
    if not isinstance(value, str) or key in KEPT_IN_JSON:
        return value
    return SCRIPT_URLS[no % len(SCRIPT_URLS)] if CHECKED_AS_URL.search(key) else joined(no)


class Look(HTMLParser):
    """Reads a page as a browser would and notes where a hostile text is more than text."""

    MAY_HOLD_IT = frozenset(
        [
            "value",
            "title",
            "href",
            "aria-label",
            "alt",
            "placeholder",
            "content",
            "action",
            "formaction",
            "datetime",
            "for",
            "id",
            "list",
            "label",
        ]
    )
    NEVER = frozenset(["iframe", "object", "embed", "base", "math", "applet", "frame", "frameset"])

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.texts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element: none that we do not use, no attribute that acts."""
        if NAME in tag or tag in self.NEVER or (tag == "script" and not _ours(attrs)):
            self.found.append(f"element {self.get_starttag_text()!r:.200}")
        for name, value in attrs:
            value = value or ""
            holds = NAME in value and not name.startswith("data-") and name not in self.MAY_HOLD_IT
            acts = name.startswith("on") or name in ("srcdoc", "http-equiv") or NAME in name
            bare = re.sub(r"[\x00-\x20]", "", value).lower()
            leads = name in LEADING and not re.match(r"(/(?!/)|\?|#|https?://|data:image/|$)", bare)
            elsewhere = name in LEADING and bare.startswith(("//", f"http://{NAME}"))
            named = name in ("id", "for") and value.startswith(NAME)
            if holds or acts or elsewhere or named or (leads and NAME in value):
                self.found.append(f"attribute {name}={value!r:.120} of <{tag}>")

    def handle_data(self, data: str) -> None:
        """A text."""
        if self.cdata_elem in ("script", "style") and NAME in data:
            self.found.append(f"inside of <{self.cdata_elem}>: {data!r:.120}")
        self.texts += data.count(NAME)

    def handle_comment(self, data: str) -> None:
        """A comment: none of ours holds anything."""
        if NAME in data:
            self.found.append(f"comment {data!r:.120}")


def _ours(attrs: list[tuple[str, str | None]]) -> bool:
    given = dict(attrs)
    return str(given.get("src", "")).startswith("/static/") or given.get("type") == "application/json"


def wrong(page: str) -> tuple[list[str], int]:
    """What of a page is more than text, and how often the name stands in its texts."""
    look = Look()
    look.feed(page)
    look.close()
    return look.found, look.texts

"""The statements that make a year's records for `journal_ground`: each a piece, from `first` to `last` of `orders`."""

from __future__ import annotations

from shared.errors.catalogue import catalogue
from shared.records.indexed import WORDS
from shared.records.search import SEARCHED

INTERFACES = ("otto-de", "shopify-eu", "kaufland", "ebay-de", "outlet")
CAUSES = 40
LAST = (
    "Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Schäfer Koch Bauer Richter Klein Wolf,"
    "Schröder Neumann Schwarz Zimmermann Braun Krüger Hofmann Hartmann Lange Schmitt Werner Krause Lehmann Köhler,"
    "Herrmann König Walter Mayer Huber Kaiser Fuchs Peters Lang Scholz Möller Weiß Jung Hahn Vogel Friedrich Keller"
).replace(",", " ").split()  # fmt: skip
FIRST = ("Erika", "Max", "Anna", "Ben", "Clara", "David", "Ella", "Finn", "Greta", "Hannes", "Ida", "Jan", "Katja")
ENDS = ("", "son", "berg", "hauser", "mann", "feld", "bach", "stein", "dorf", "hoff")


def _array(values: tuple[str, ...] | list[str]) -> str:
    return f"ARRAY[{', '.join(repr(value) for value in values)}]"


_CODES = sorted(catalogue())[:: max(1, len(catalogue()) // CAUSES)][:CAUSES]
# A number between 0 and 9999 that looks like chance, another one for each `of`.
_DICE = "(('x' || substr(md5(i || '{of}'), 1, 7))::bit(28)::int % 10000)"
_BASE = f"""
SELECT i, {_DICE.format(of="state")} AS d, {_DICE.format(of="code")} AS c, {_DICE.format(of="name")} AS n,
       ({_array(list(INTERFACES))})[CASE WHEN i % 20 < 10 THEN 1 WHEN i % 20 < 15 THEN 2 WHEN i % 20 < 18 THEN 3
                                         WHEN i % 20 < 19 THEN 4 ELSE 5 END] AS interface,
       CASE WHEN i % 2 = 0 THEN 'ws' || substr(md5(i::text), 1, 10) ELSE (100000000 + i)::text END AS number,
       now() - (%(orders)s - i) * (interval '365 days' / %(orders)s) AS at
FROM generate_series(%(first)s, %(last)s) i
"""
_STATE = (
    "CASE WHEN d < 9200 THEN 'done' WHEN d < 9600 THEN 'failed' WHEN d < 9750 THEN 'warning' WHEN d < 9850 THEN"
    " 'skipped' WHEN d < 9920 THEN 'waiting' WHEN d < 9990 THEN 'pending' ELSE 'running' END"
)
_CODE = f"({_array(_CODES)})[1 + (c * c / 10000 * c / 10000 * {len(_CODES)} / 10000)]"
_REASON = (
    f"jsonb_build_array(jsonb_build_object('code', {_CODE}, 'field', '',"
    " 'values', jsonb_build_object('sku', 'ABC-' || c)))"
)
_NAME = (
    f"({_array(FIRST)})[1 + n % {len(FIRST)}] AS first,"
    f" ({_array(LAST)})[1 + n / 7 % {len(LAST)}] || ({_array(list(ENDS))})[1 + n * n / 10000 % {len(ENDS)}] AS last"
)
_RECORDS = f"""
WITH b AS MATERIALIZED ({_BASE})
INSERT INTO records(id, interface, flow, key, stage, state, due_at, seq, claim_no, sent_no, payload_no, changed_at,
    version, data_hash, input_hash, input_at, received_at, updated_at, ordered_at, ship_by, marketplace_id, remote,
    code, reason, test)
SELECT 2 * i - 1 + e, interface, (ARRAY['order-import', 'order-export'])[1 + e], number,
    (ARRAY['erp', 'marketplace'])[1 + e], s,
    CASE WHEN s IN ('waiting', 'pending', 'running') THEN at END, 7 - e, 2, 1, 1, at, 1, md5(i::text)::uuid,
    md5(i::text)::uuid, at, at, at + make_interval(secs => 5 + e * 86400 + d), at - interval '3 minutes',
    at + interval '2 days', 'm-' || i, CASE WHEN s IN ('done', 'warning') AND e = 0 THEN 'XE' || i END,
    CASE WHEN s IN ('failed', 'warning', 'waiting', 'skipped') THEN {_CODE} END,
    CASE WHEN s IN ('failed', 'warning', 'waiting', 'skipped') THEN {_REASON} END, c % 500 = 0
FROM b, (VALUES (0), (1)) AS f(e), LATERAL (SELECT {_STATE} AS s) s
"""
_PAYLOADS = f"""
INSERT INTO payloads(record_id, no, body, received_at)
SELECT 2 * i - 1 + e, 1, convert_to(CASE e WHEN 0 THEN format('{{"specversion": "1.0", "id": "e-%s", "data":'
    ' {{"interface": "%s", "order": {{"number": "%s", "currency": "EUR", "total": "%s.99", "customer": {{"first_name":'
    ' "%s", "last_name": "%s", "email": "%s@example.org"}},'
    ' "billing_address": {{"name": "%s %s", "street": "Teststr.", "city": "Hamburg"}},'
    ' "lines": [{{"id": "1", "sku": "ABC-%s", "quantity": 1}}, {{"id": "2", "sku": "KLD-%s", "quantity": 2}}]}}}}}}',
    i, interface, number, n, first, last, lower(first), first, last, c, n)
  ELSE format('{{"specversion": "1.0", "id": "c-%s", "data": {{"interface": "%s", "order_number": "%s", "erp_number":'
    ' "XE%s", "status": "shipped", "shipments": [{{"id": "1", "carrier": "DHL", "tracking_number": "JVGL%s", "lines":'
    ' [{{"sku": "ABC-%s"}}]}}]}}}}', i, interface, number, i, 5000000000 + i, c) END, 'UTF8'), at
FROM ({_BASE}) b, (VALUES (0), (1)) AS f(e), LATERAL (SELECT {_NAME}) p
"""
_PARTS = f"""
INSERT INTO parts(record_id, part, state, code, reason, updated_at)
SELECT 2 * i, part, s, CASE WHEN s IN ('failed', 'warning', 'waiting') THEN {_CODE} END, NULL, at
FROM ({_BASE}) b, (VALUES ('status'), ('tracking')) AS p(part), LATERAL (SELECT {_STATE} AS s) s WHERE d < 9920
"""
_SHIPMENTS = f"""
INSERT INTO shipments(record_id, shipment, state, carrier, tracking_number, units, document, claim_no, accepted_at)
SELECT 2 * i, '1', 'confirmed', 'DHL', 'JVGL' || (5000000000 + i), '{{}}', '{{}}', 1, at FROM ({_BASE}) b WHERE d < 9200
"""
_TRANSITIONS = f"""
INSERT INTO transitions(record_id, seq, at, stage, from_state, to_state, claim_no)
SELECT 2 * i - 1 + e, q, at + make_interval(secs => q),
    CASE WHEN q = 1 THEN 'connect' WHEN e = 0 THEN 'erp' ELSE 'status' END,
    CASE q WHEN 1 THEN NULL WHEN 2 THEN NULL WHEN 3 THEN 'pending' WHEN 4 THEN 'running' ELSE 'pending' END,
    CASE q WHEN 1 THEN 'done' WHEN 2 THEN 'pending' WHEN 3 THEN 'running' ELSE {_STATE} END, q / 3
FROM ({_BASE}) b, (VALUES (0), (1)) AS f(e), generate_series(1, 7 - e) AS q
"""
_ATTEMPTS = f"""
INSERT INTO attempts(record_id, claim_no, stage, started_at, ended_at, outcome, called)
SELECT 2 * i - 1 + e, 1, 'erp', at, at + interval '1 second', 'done', true
FROM ({_BASE}) b, (VALUES (0), (1)) AS f(e)
"""
# Put together and folded by hand, which is faster; `_differing` tells when this and the indexer disagree.
_ORDER_SAYS = "concat_ws(' ', first, last, first, 'example org', first, last, 'abc', c, 'kld', n)"
_EXPORT_SAYS = "concat_ws(' ', 'xe' || i, 'jvgl' || (5000000000 + i), 'abc', c)"
_TOLD = "CASE WHEN d < 9200 THEN 'jvgl' || (5000000000 + i) END"
_REMOTE = "CASE WHEN s IN ('done', 'warning') THEN 'xe' || i END"
_TEXTS = f"""
INSERT INTO search_texts(record_id, words)
SELECT id, {WORDS} FROM (
  SELECT 2 * i - 1 + e AS id, (ARRAY['order-import', 'order-export'])[1 + e] AS flow,
    replace(translate(lower(concat_ws(' ', number, 'm', i,
    CASE e WHEN 0 THEN concat_ws(' ', {_REMOTE}, {_ORDER_SAYS}, {_EXPORT_SAYS}, {_TOLD})
           ELSE concat_ws(' ', {_EXPORT_SAYS}, {_TOLD}, {_REMOTE}, {_ORDER_SAYS}) END,
    CASE WHEN s IN ('failed', 'warning', 'waiting', 'skipped') THEN 'abc ' || c END)), 'äöü', 'aou'), 'ß', 'ss') AS text
  FROM ({_BASE}) b, (VALUES (0), (1)) AS f(e), LATERAL (SELECT {_NAME}) p, LATERAL (SELECT {_STATE} AS s) s) t
"""
OF_ARTICLES = (
    f"""
INSERT INTO records(id, interface, flow, key, stage, state, seq, claim_no, sent_no, changed_at, version, data_hash,
    input_at, received_at, updated_at, code, reason)
SELECT 2 * %(orders)s + i, interface, 'stock', 'ABC-' || i, 'stock', s, 3, 1, 1, at, 1, md5(i::text)::uuid, at, at,
    at + make_interval(secs => d), CASE WHEN s IN ('failed', 'warning') THEN {_CODE} END,
    CASE WHEN s IN ('failed', 'warning') THEN {_REASON} END
FROM ({_BASE}) b, LATERAL (SELECT CASE WHEN d < 9300 THEN 'done' WHEN d < 9500 THEN 'never' WHEN d < 9900 THEN 'failed'
                                       ELSE 'warning' END AS s) s
""",
    f"""
INSERT INTO payloads(record_id, no, body, received_at)
SELECT 2 * %(orders)s + i, 1, convert_to(format('{{"specversion": "1.0", "id": "s-%s", "data": {{"interface": "%s",'
    ' "sku": "ABC-%s", "quantity": %s}}}}', i, interface, i, d), 'UTF8'), at FROM ({_BASE}) b
""",
    f"""
INSERT INTO articles(record_id, interface, sku, name, kind, parent_sku, listed_at, sent, sent_at, shown, shown_at)
SELECT 2 * %(orders)s + i, interface, 'ABC-' || i, 'Kleid ' || ({_array(LAST)})[1 + n % {len(LAST)}],
    CASE WHEN i % 10 = 0 THEN 'parent' WHEN i % 10 < 8 THEN 'variant' ELSE 'simple' END,
    CASE WHEN i % 10 BETWEEN 1 AND 7 THEN 'ABC-' || i / 10 * 10 END, at, d, at, d - (c = 1)::int,
    at + interval '1 minute'
FROM ({_BASE}) b
""",
    f"""
INSERT INTO transitions(record_id, seq, at, stage, from_state, to_state, claim_no)
SELECT 2 * %(orders)s + i, q, at + make_interval(secs => q), 'stock', NULL, 'done', 1
FROM ({_BASE}) b, generate_series(1, 3) AS q
""",
    f"""
INSERT INTO search_texts(record_id, words) SELECT id, {WORDS} FROM (
    SELECT r.id, r.flow, {SEARCHED} AS text FROM records r
    WHERE r.id BETWEEN 2 * %(orders)s + %(first)s AND 2 * %(orders)s + %(last)s OFFSET 0) r
""",
)
OF_ORDERS = (_RECORDS, _PAYLOADS, _PARTS, _SHIPMENTS, _TRANSITIONS, _ATTEMPTS, _TEXTS)

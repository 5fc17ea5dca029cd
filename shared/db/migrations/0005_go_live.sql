-- Going live: flows with a mode of their own, proofs of a rehearsal, dry runs.

-- Flows that have been live, without a test since: they go on after a pause without being rehearsed again.
ALTER TABLE interfaces ADD live_flows text[] NOT NULL DEFAULT '{}';
UPDATE interfaces SET live_flows = '{order-import,order-export,stock}' WHERE mode <> 'test';
ALTER TABLE interfaces ADD switched_at timestamptz;  -- when a mode was changed last

-- A flow follows its interface unless it is here.
CREATE TABLE flow_overrides (
    interface  text NOT NULL REFERENCES interfaces ON DELETE CASCADE,
    flow       text NOT NULL CHECK (flow IN ('order-import', 'order-export', 'stock')),
    mode       text NOT NULL CHECK (mode IN ('test', 'live', 'paused')),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (interface, flow)
);

-- The mode that counts. A paused interface pauses all of its flows.
CREATE VIEW flow_modes AS
SELECT i.slug AS interface, f.flow,
       CASE WHEN i.mode = 'paused' THEN 'paused' ELSE coalesce(o.mode, i.mode) END AS mode
FROM interfaces i CROSS JOIN (VALUES ('order-import'), ('order-export'), ('stock')) AS f(flow)
     LEFT JOIN flow_overrides o ON o.interface = i.slug AND o.flow = f.flow;

-- What a rehearsal has proved, one row per item; the alert service writes `alarm-mail` when a test mail was confirmed.
CREATE TABLE rehearsal_proofs (
    interface text NOT NULL REFERENCES interfaces ON DELETE CASCADE,
    item      text NOT NULL,
    ok        boolean NOT NULL,
    at        timestamptz NOT NULL DEFAULT now(),
    detail    jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (interface, item)
);
ALTER TABLE errands DROP CONSTRAINT errands_verb_check;
ALTER TABLE errands ADD CONSTRAINT errands_verb_check CHECK (verb IN ('listing', 'drift', 'rehearsal'));

-- A receipt that only shows what would be sent. `answer` holds the document, for an hour: it may name a buyer.
ALTER TABLE receipts ADD dry_run boolean NOT NULL DEFAULT false;
ALTER TABLE receipt_numbers ADD answer json;  -- and not jsonb: the document is shown as it would be sent
ALTER TABLE receipt_numbers DROP CONSTRAINT receipt_numbers_result_check;
ALTER TABLE receipt_numbers ADD CONSTRAINT receipt_numbers_result_check
    CHECK (result IN ('queued', 'exists', 'not-found', 'malformed', 'failed', 'taken-in', 'drafted'));

-- Tests are few, and counted apart.
CREATE INDEX records_tests ON records (flow, interface, state) WHERE test;

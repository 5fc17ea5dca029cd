-- Interfaces, their two sides, the inbox, records with payloads, transitions and attempts, rejections, keys.
-- Hot tables (events, records, payloads, transitions, attempts) have few indexes and no foreign keys: every index is paid
-- for by each claim and each settle.

CREATE TABLE interfaces (
    slug           text PRIMARY KEY CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    title          text NOT NULL,
    marketplace    text NOT NULL,
    erp            text NOT NULL,
    mode           text NOT NULL DEFAULT 'test' CHECK (mode IN ('test', 'live', 'paused')),
    from_date      timestamptz,
    poll_seconds   integer NOT NULL DEFAULT 900 CHECK (poll_seconds > 0),
    reread_seconds integer NOT NULL DEFAULT 900 CHECK (reread_seconds > 0),
    revision       bigint NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE sides (
    interface        text NOT NULL REFERENCES interfaces ON DELETE CASCADE,
    side             text NOT NULL CHECK (side IN ('marketplace', 'erp')),
    settings         jsonb NOT NULL DEFAULT '{}',
    sealed           bytea,                       -- AES-GCM of the secret settings, bound to interface and side
    calls_per_second double precision NOT NULL CHECK (calls_per_second > 0),
    calls_at_once    integer NOT NULL DEFAULT 8 CHECK (calls_at_once BETWEEN 1 AND 64),
    PRIMARY KEY (interface, side)
);

-- What changes all the time about a side: the shared allowance of calls and the breaker.
CREATE TABLE side_states (
    interface   text NOT NULL,
    side        text NOT NULL,
    tokens      double precision NOT NULL DEFAULT 0,
    refilled_at timestamptz NOT NULL DEFAULT now(),
    breaker     text NOT NULL DEFAULT 'closed' CHECK (breaker IN ('closed', 'open', 'half-open')),
    failures    integer NOT NULL DEFAULT 0,
    opened_at   timestamptz,
    retry_at    timestamptz,
    code        text,
    PRIMARY KEY (interface, side),
    FOREIGN KEY (interface, side) REFERENCES sides ON DELETE CASCADE
) WITH (fillfactor = 50);

CREATE TABLE mappings (
    interface  text NOT NULL REFERENCES interfaces ON DELETE CASCADE,
    kind       text NOT NULL,
    source     text NOT NULL,
    target     text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by text,
    PRIMARY KEY (interface, kind, source)
);

CREATE TABLE cursors (
    interface text PRIMARY KEY REFERENCES interfaces ON DELETE CASCADE,
    watermark timestamptz,
    polled_at timestamptz,
    ok_at     timestamptz,
    code      text
);

-- The inbox: one row per accepted (source, id). `hash` is of both, `data_hash` of the canonical data.
CREATE TABLE events (
    hash        uuid PRIMARY KEY,
    source      text NOT NULL,
    id          text NOT NULL,
    event       text NOT NULL,
    interface   text NOT NULL,
    key         text NOT NULL,
    data_hash   uuid NOT NULL,
    outcome     text NOT NULL CHECK (outcome IN ('applied', 'duplicate', 'superseded', 'no-target')),
    record_id   bigint,
    received_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX events_received ON events USING brin (received_at) WITH (pages_per_range = 32, autosummarize = on);

-- Inputs that were here before: the same (source, id) again, or the body of a rejection again.
CREATE TABLE duplicates (
    no          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event       text NOT NULL,
    interface   text NOT NULL,
    hash        uuid,
    rejection   bigint,
    received_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX duplicates_received ON duplicates USING brin (received_at);

-- How many inputs came, counted where they come in and nowhere derived from: the left side of the books.
CREATE TABLE arrivals (
    no          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event       text NOT NULL,
    interface   text NOT NULL,
    inputs      integer NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX arrivals_received ON arrivals USING brin (received_at);

CREATE TABLE rejections (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue        text NOT NULL,
    origin       text NOT NULL,
    event        text NOT NULL,
    interface    text NOT NULL,                    -- '?' where the input did not say a known one
    source       text,
    event_id     text,
    hash         uuid,
    body_hash    uuid NOT NULL,
    raw          bytea NOT NULL,
    content_type text,
    routing_key  text,
    problems     jsonb NOT NULL,
    state        text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'resubmitted')),
    received_at  timestamptz NOT NULL DEFAULT now(),
    resolved_at  timestamptz,
    resolved_by  text,
    result       jsonb
);
CREATE UNIQUE INDEX rejections_open ON rejections (body_hash) WHERE state = 'open';
CREATE INDEX rejections_event ON rejections (hash) WHERE hash IS NOT NULL;
CREATE INDEX rejections_list ON rejections (state, id DESC);

CREATE TABLE records (
    id             bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    interface      text NOT NULL,
    flow           text NOT NULL,
    key            text NOT NULL,                  -- order number or SKU
    stage          text NOT NULL,
    state          text NOT NULL CHECK (state IN ('never', 'pending', 'running', 'waiting', 'done', 'warning', 'failed', 'skipped')),
    due_at         timestamptz,                    -- when somebody must look again; null in final states; never set into the past
    claim_no       integer NOT NULL DEFAULT 0,     -- only grows; fences the settle
    seq            integer NOT NULL DEFAULT 0,     -- number of the last transition
    payload_no     integer NOT NULL DEFAULT 1,     -- the staged copy that is wanted
    sent_no        integer,                        -- the staged copy that the remote system has
    tries          smallint NOT NULL DEFAULT 0,    -- the retry budget in use
    lost           smallint NOT NULL DEFAULT 0,    -- claims since the last settle: each one but the last is a lost lease
    intended       boolean NOT NULL DEFAULT false, -- a call that is not idempotent may have been sent
    blocked        boolean NOT NULL DEFAULT false, -- has rows in blocks
    recheck        boolean NOT NULL DEFAULT false, -- a call was made that its worker could not settle: read back
    forced         boolean NOT NULL DEFAULT false, -- a person wants it to run although the interface does not
    test           boolean NOT NULL DEFAULT false,
    changed_at     timestamptz NOT NULL,
    version        bigint NOT NULL DEFAULT -1,
    data_hash      uuid NOT NULL,
    input_hash     uuid,                           -- the event that is applied now
    input_at       timestamptz NOT NULL DEFAULT now(),
    received_at    timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    trying_since   timestamptz,
    ordered_at     timestamptz,
    ship_by        timestamptz,
    marketplace_id text,
    remote         text,                           -- the number in the remote system
    code           text,                           -- the first problem's code
    reason         jsonb,                          -- every problem
    UNIQUE (interface, flow, key)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX records_wake ON records (stage, interface, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX records_special ON records (stage, interface, due_at) WHERE due_at IS NOT NULL AND (forced OR lost >= 2);
CREATE INDEX records_journal ON records (flow, interface, state, id DESC);
CREATE INDEX records_input ON records USING brin (input_at) WITH (pages_per_range = 32, autosummarize = on);

-- The raw events, insert-only: rewriting them with every state change would double the WAL.
CREATE TABLE payloads (
    record_id   bigint NOT NULL,
    no          integer NOT NULL,
    body        bytea NOT NULL,
    traceparent text,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (record_id, no)
);
ALTER TABLE payloads ALTER COLUMN body SET STORAGE MAIN;

CREATE TABLE transitions (
    record_id  bigint NOT NULL,
    seq        integer NOT NULL,
    at         timestamptz NOT NULL DEFAULT now(),
    stage      text NOT NULL,
    from_state text,
    to_state   text NOT NULL,
    claim_no   integer,
    code       text,
    reason     jsonb,
    actor      text,
    PRIMARY KEY (record_id, seq, at)
) PARTITION BY RANGE (at);

CREATE TABLE attempts (
    record_id  bigint NOT NULL,
    claim_no   integer NOT NULL,
    stage      text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at   timestamptz NOT NULL DEFAULT now(),
    outcome    text NOT NULL,
    code       text,
    called     boolean NOT NULL,
    detail     jsonb,
    PRIMARY KEY (record_id, claim_no)
);

-- What has to come true, per interface. raised_xid is the transaction that last learned it did.
CREATE TABLE keys (
    interface  text NOT NULL,
    key        text NOT NULL,
    raised     integer NOT NULL DEFAULT 0,
    raised_xid xid8,
    raised_at  timestamptz,
    following  boolean NOT NULL DEFAULT false,  -- raised, and the first blocked record has not settled yet
    probe_at   timestamptz NOT NULL DEFAULT now(),
    probes     integer NOT NULL DEFAULT 0,
    PRIMARY KEY (interface, key)
);

CREATE TABLE blocks (
    interface text NOT NULL,
    key       text NOT NULL,
    record_id bigint NOT NULL,
    PRIMARY KEY (interface, key, record_id)
);
CREATE INDEX blocks_record ON blocks (record_id);

-- Receipts of imports, exports and syncs that a person asked for: one row per number, filled as answers come in.
CREATE TABLE receipts (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    verb       text NOT NULL,
    interface  text NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE receipt_numbers (
    receipt   uuid NOT NULL REFERENCES receipts ON DELETE CASCADE,
    no        integer NOT NULL,
    number    text NOT NULL,
    result    text NOT NULL CHECK (result IN ('queued', 'exists', 'not-found', 'malformed', 'failed', 'taken-in')),
    record_id bigint,
    code      text,
    due_at    timestamptz,                          -- while somebody has to ask the remote system
    tries     smallint NOT NULL DEFAULT 0,
    PRIMARY KEY (receipt, no)
);
CREATE INDEX receipt_numbers_due ON receipt_numbers (due_at) WHERE due_at IS NOT NULL;

-- Months of transitions, made ahead; there is no default partition, so a missing month is an error and not a dump.
CREATE FUNCTION make_transition_months(ahead integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    month date := date_trunc('month', now() AT TIME ZONE 'UTC')::date;
    made  integer := 0;
    name  text;
BEGIN
    FOR i IN -1..ahead LOOP
        name := 'transitions_' || to_char(month + make_interval(months => i), 'YYYY_MM');
        IF to_regclass(name) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF transitions FOR VALUES FROM (%L) TO (%L)', name,
                (month + make_interval(months => i))::date::text || ' 00:00:00+00',
                (month + make_interval(months => i + 1))::date::text || ' 00:00:00+00');
            made := made + 1;
        END IF;
    END LOOP;
    RETURN made;
END $$;
SELECT make_transition_months(3);

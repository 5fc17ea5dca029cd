-- Alarms, continued: what usually arrives, planned maintenance, free days, limits of age; a ledger that names people.

-- How many inputs came per hour, in twelve slots of five minutes: what a silence is compared with. Filled by the alert
-- service out of `arrivals`, a stretch at a time, so that nobody reads that table whole.
CREATE TABLE alarm_arrivals (
    interface text NOT NULL,
    flow      text NOT NULL,
    hour      timestamptz NOT NULL,
    slots     integer[] NOT NULL,
    last_at   timestamptz NOT NULL,
    PRIMARY KEY (interface, flow, hour)
);
CREATE INDEX alarm_arrivals_hour ON alarm_arrivals (hour);

ALTER TABLE alarm_watch
    ADD zone       text NOT NULL DEFAULT 'Europe/Berlin', -- whose clock the calendar follows
    ADD counted_to timestamptz,                        -- arrivals up to here are counted
    ADD leveled    timestamptz NOT NULL DEFAULT 'epoch', -- when levels were found last
    ADD compared   timestamptz NOT NULL DEFAULT 'epoch'; -- and drift

-- While it lasts nothing is mailed about these interfaces. Once (starts to ends), or weekly (weekday, at, until).
CREATE TABLE maintenance (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    interfaces text[] NOT NULL DEFAULT '{}',          -- empty: all
    starts     timestamptz,
    ends       timestamptz,
    weekday    smallint CHECK (weekday BETWEEN 0 AND 6),  -- 0 is Monday
    at         time,
    until      time,                                  -- before `at`: on the next day
    note       text NOT NULL DEFAULT '',
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (CASE WHEN weekday IS NULL THEN starts < ends AND at IS NULL AND until IS NULL
                ELSE starts IS NULL AND ends IS NULL AND at <> until END)
);

-- The business calendar: days on which nobody works.
CREATE TABLE free_days (
    day  date PRIMARY KEY,
    name text NOT NULL DEFAULT ''
);

-- How long the oldest unfinished record of a flow may stand before that is an alarm; no row: the default.
CREATE TABLE age_limits (
    flow    text PRIMARY KEY CHECK (flow IN ('order-import', 'order-export', 'stock')),
    minutes integer NOT NULL CHECK (minutes BETWEEN 5 AND 43200)
);

-- Who answered, and what was decided about an alarm by hand.
ALTER TABLE alarm_decisions ADD by text;

-- A new alarm is judged by the next round, and told what is open. Those that are there have been told.
ALTER TABLE subscriptions ALTER next_at SET DEFAULT now();
UPDATE subscriptions SET plan = plan || '{"begun": true}';

-- A recipient who did not get a mail has a row that says why.
ALTER TABLE mails DROP CONSTRAINT mails_state_check;
ALTER TABLE mails ADD CONSTRAINT mails_state_check
    CHECK (state IN ('queued', 'sent', 'refused', 'given-up', 'unverified', 'unsubscribed'));
UPDATE mails SET state = 'unsubscribed', reply = NULL WHERE state = 'given-up' AND reply = 'unsubscribed';
CREATE INDEX mails_recipient ON mails (recipient, id);
CREATE INDEX mails_over ON mails (created_at) WHERE state <> 'queued';
CREATE INDEX incidents_ended ON incidents (ended) WHERE ended IS NOT NULL;
CREATE INDEX alarm_answers_incident ON alarm_answers (incident, id);

-- Alarms: who wants to be told what, what was found, what was decided, what was mailed.

-- The alert service reads what is new by the clock.
CREATE INDEX troubles_entered ON troubles (entered_at);

-- What each look found out. The look back evaluates the same rows again.
CREATE TABLE alarm_facts (
    no        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        timestamptz NOT NULL,
    interface text NOT NULL,
    flow      text NOT NULL,
    code      text NOT NULL,
    key       text NOT NULL,
    open      integer NOT NULL,
    error     boolean NOT NULL,
    news      integer NOT NULL DEFAULT 0,
    remarks   integer NOT NULL DEFAULT 0
);
CREATE INDEX alarm_facts_at ON alarm_facts (at);

CREATE TABLE incidents (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    interface text NOT NULL,
    flow      text NOT NULL,
    code      text NOT NULL,
    key       text NOT NULL,
    severity  text NOT NULL CHECK (severity IN ('warning', 'error')),
    since     timestamptz NOT NULL,
    ended     timestamptz,
    records   integer NOT NULL DEFAULT 0,           -- that came to stand so since it opened
    problem   jsonb,                                -- one of them: the values of its sentence
    UNIQUE (interface, flow, code, key, since)
);
CREATE INDEX incidents_open ON incidents (interface) WHERE ended IS NULL;
CREATE INDEX incidents_since ON incidents (since);

-- One row: how far the service has looked, and what stands.
CREATE TABLE alarm_watch (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    seen     timestamptz NOT NULL DEFAULT now(),
    checked  timestamptz NOT NULL DEFAULT 'epoch',
    standing jsonb NOT NULL DEFAULT '[]'
);
INSERT INTO alarm_watch DEFAULT VALUES;

CREATE TABLE subscriptions (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    interfaces text[] NOT NULL DEFAULT '{}',        -- empty: all
    flows      text[] NOT NULL DEFAULT '{}',
    "on"       text[] NOT NULL,
    frequency  text NOT NULL,
    at         time NOT NULL DEFAULT '07:00',
    weekday    smallint NOT NULL DEFAULT 0,
    hours      jsonb NOT NULL DEFAULT '{}',
    filter     text NOT NULL DEFAULT '',
    language   text NOT NULL DEFAULT 'en',
    time_zone  text NOT NULL,
    active     boolean NOT NULL DEFAULT true,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    plan       jsonb NOT NULL DEFAULT '{}',         -- shared/alarms/plan.py
    next_at    timestamptz                          -- when the plan has something to do although nothing happens
);
CREATE INDEX subscriptions_next ON subscriptions (next_at) WHERE active AND next_at IS NOT NULL;

CREATE TABLE recipients (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscription bigint NOT NULL REFERENCES subscriptions ON DELETE CASCADE,
    address      text NOT NULL,
    language     text,                              -- null: the subscription's
    verified_at  timestamptz,
    stopped_at   timestamptz,                       -- unsubscribed
    token        text NOT NULL UNIQUE,              -- of its links
    UNIQUE (subscription, address)
);

-- The ledger: every decision, also the ones not to mail.
CREATE TABLE alarm_decisions (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscription bigint NOT NULL REFERENCES subscriptions ON DELETE CASCADE,
    at           timestamptz NOT NULL,
    what         text NOT NULL,
    severity     text NOT NULL,
    incidents    bigint[] NOT NULL,
    until        timestamptz
);
CREATE INDEX alarm_decisions_of ON alarm_decisions (subscription, at);
CREATE INDEX alarm_decisions_at ON alarm_decisions (at);

-- What a person said to an incident. handled: when the service heard it, which is the moment that counts.
CREATE TABLE alarm_answers (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident bigint NOT NULL REFERENCES incidents ON DELETE CASCADE,
    by       text NOT NULL,
    until    timestamptz,                           -- null: acknowledged
    at       timestamptz NOT NULL DEFAULT now(),
    handled  timestamptz
);
CREATE INDEX alarm_answers_new ON alarm_answers (id) WHERE handled IS NULL;

-- One row per mail and recipient: sent, then recorded; a repetition has the same Message-ID.
CREATE TABLE mails (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recipient  bigint NOT NULL REFERENCES recipients ON DELETE CASCADE,
    kind       text NOT NULL,
    decision   bigint REFERENCES alarm_decisions ON DELETE CASCADE,
    message_id text NOT NULL UNIQUE,
    thread     text,                                -- Message-ID of the first mail about the same incident
    detail     jsonb NOT NULL DEFAULT '{}',
    state      text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sent', 'refused', 'given-up')),
    tries      integer NOT NULL DEFAULT 0,
    due_at     timestamptz DEFAULT now(),
    reply      text,
    created_at timestamptz NOT NULL DEFAULT now(),
    sent_at    timestamptz
);
CREATE INDEX mails_due ON mails (due_at) WHERE state = 'queued';
CREATE INDEX mails_decision ON mails (decision);

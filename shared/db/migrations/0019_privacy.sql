-- Looking a person up, handing out and erasing what is kept of them; how long personal data stays (ADR 39).

-- One request. `subject` says who, with what they are known by; it is emptied with the last step of an erasure, and a
-- week after any other: what remains is the receipt, which names nobody.
CREATE TABLE privacy_deeds (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    kind        text NOT NULL CHECK (kind IN ('find', 'export', 'erase')),
    subject     jsonb,
    reason      text NOT NULL,
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    state       text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done')),
    phase       text NOT NULL DEFAULT 'queues',
    position    jsonb NOT NULL DEFAULT '[]',       -- where the phase goes on: the key of the last row that was looked at
    counts      jsonb NOT NULL DEFAULT '{}',       -- place → how many were found, and for an erasure: overwritten
    left_alone  jsonb NOT NULL DEFAULT '[]',       -- orders that stay: interface, number, why
    finished_at timestamptz
);
CREATE INDEX privacy_deeds_running ON privacy_deeds (created_at) WHERE state = 'running';
CREATE INDEX privacy_deeds_newest ON privacy_deeds (created_at DESC, id);

-- Where the person was found: the key of a row of `place`. Goes with the subject.
CREATE TABLE privacy_found (
    deed  uuid NOT NULL REFERENCES privacy_deeds ON DELETE CASCADE,
    place text NOT NULL,
    ref   jsonb NOT NULL,
    PRIMARY KEY (deed, place, ref)
);

-- Orders and exports without their person: a copy with a higher number than `payload_no` has brought data back.
CREATE TABLE privacy_erased (
    record_id  bigint PRIMARY KEY,
    payload_no integer NOT NULL,
    at         timestamptz NOT NULL DEFAULT now()
);

-- What the walk by age passed and could not take yet, and orders whose data came back: looked at again by themselves.
CREATE TABLE privacy_later (
    class   text NOT NULL CHECK (class IN ('orders', 'rejections')),
    ref     bigint NOT NULL,
    look_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (class, ref)
);
CREATE INDEX privacy_later_next ON privacy_later (class, look_at);

CREATE TABLE privacy_holds (
    interface text NOT NULL,
    key       text NOT NULL,
    reason    text NOT NULL,
    held_by   text NOT NULL,
    held_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (interface, key)
);

-- How far the walk by age has come, and how many it has overwritten or deleted in all.
CREATE TABLE privacy_walks (
    class    text PRIMARY KEY,
    position bigint NOT NULL DEFAULT 0,
    looked   timestamptz NOT NULL DEFAULT now(),
    total    bigint NOT NULL DEFAULT 0
);
INSERT INTO privacy_walks(class) VALUES ('orders'), ('rejections'), ('audit'), ('returned');

-- The audit is only ever added to, except by these two.
-- Whoever may call it must not be able to empty the audit: a month stays in any case.
CREATE FUNCTION forget_audit(keep_days integer, at_once integer) RETURNS integer LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    gone integer;
BEGIN
    DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < now() - make_interval(days => greatest(keep_days, 30))
                                   ORDER BY at LIMIT at_once);
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;
CREATE FUNCTION erase_in_audit(line bigint, new_target jsonb, new_reason text) RETURNS void LANGUAGE sql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE audit SET target = new_target, reason = new_reason WHERE id = line;
$$;

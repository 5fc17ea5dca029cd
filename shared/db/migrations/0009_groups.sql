-- Groups of failures: which cause a record suffers from, since when, and when it was over; notes of people on causes.
-- Written by a trigger that is silent for records without trouble, so that every way into and out of a state is seen in
-- the transaction that takes it, and the statements of the hot path stay as they are (ADR 24).

-- What of a problem tells one cause from another: the value a key waits for, a fingerprint, or the remote system's words
-- without what differs from case to case. A test holds it together with the error catalogue.
CREATE FUNCTION cause_value(code text, problem jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT left(CASE
        WHEN code = 'payment-unmapped' THEN problem #>> '{values,payment}'
        WHEN code = 'shipping-unmapped' THEN problem #>> '{values,shipping}'
        WHEN code = 'tax-unmapped' THEN problem #>> '{values,rate}'
        WHEN code = 'carrier-unknown' THEN problem #>> '{values,carrier}'
        WHEN code = 'sku-unknown' THEN problem #>> '{values,sku}'
        WHEN code IN ('setting-missing', 'return-number-missing', 'ship-from-missing', 'location-unknown')
            THEN problem #>> '{values,setting}'
        WHEN code = 'address-incomplete' THEN problem ->> 'field'
        WHEN code = 'unclassified' THEN problem #>> '{values,fingerprint}'
        WHEN code = 'gave-up' THEN problem #>> '{values,code}'
        WHEN code IN ('remote-refused', 'remote-conflict', 'remote-forbidden')
            THEN lower(regexp_replace(regexp_replace(left(problem #>> '{values,detail}', 300),
                       '"[^"]*"|„[^“”]*[“”]|“[^”]*”|''[^'']*''', '#', 'g'), '\S*\d\S*', '#', 'g'))
        END, 300)
$$;

-- The name of a group: short, stable, the same whenever the cause returns.
CREATE FUNCTION cause_of(interface text, flow text, code text, problem jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT left(regexp_replace(lower(code), '[^a-z0-9]+', '-', 'g'), 60) || '-'
        || left(md5(concat_ws(E'\n', interface, flow, code, coalesce(cause_value(code, problem), ''))), 8)
$$;

-- What an order is worth, out of its staged copy; nothing where that cannot be read: trouble must not make trouble.
CREATE FUNCTION order_amount(record bigint, copy integer, OUT amount numeric, OUT currency text)
LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
DECLARE
    staged json;
BEGIN
    SELECT convert_from(body, 'UTF8')::json #> '{data,order}' INTO staged FROM payloads
    WHERE record_id = record AND no = copy;
    IF staged ->> 'total' ~ '^-?[0-9]{1,12}([.][0-9]{1,6})?$' THEN
        amount := (staged ->> 'total')::numeric;
        currency := left(staged ->> 'currency', 3);
    END IF;
EXCEPTION WHEN data_exception OR untranslatable_character OR character_not_in_repertoire THEN
    amount := NULL;
    currency := NULL;
END $$;

-- One row per record and cause. It is open until the record is done, skipped, or in another trouble.
CREATE TABLE troubles (
    record_id  bigint NOT NULL,
    cause      text NOT NULL,
    interface  text NOT NULL,
    flow       text NOT NULL,
    code       text NOT NULL,
    problem    jsonb NOT NULL,                       -- the first one, as it was last
    state      text,                                 -- failed, waiting or warning; null: on its way again, or over
    amount     numeric,                              -- of the order
    currency   text,
    ship_by    timestamptz,
    entered_at timestamptz NOT NULL DEFAULT now(),
    seen_at    timestamptz NOT NULL DEFAULT now(),   -- when it was found so again
    left_at    timestamptz,
    outcome    text CHECK (outcome IN ('done', 'skipped', 'other', 'never')),
    PRIMARY KEY (record_id, cause),
    CHECK ((left_at IS NULL) = (outcome IS NULL))
) WITH (fillfactor = 80);
CREATE INDEX troubles_open ON troubles (cause) WHERE left_at IS NULL;
CREATE INDEX troubles_over ON troubles (cause, left_at DESC) WHERE left_at IS NOT NULL;
CREATE INDEX troubles_left ON troubles (left_at) WHERE left_at IS NOT NULL;

-- What people say about a cause. It outlives its records: it is here when the cause returns.
CREATE TABLE causes (
    cause           text PRIMARY KEY,
    note            text,
    noted_by        text,
    noted_at        timestamptz,
    assignee        text,
    assigned_by     text,
    assigned_at     timestamptz,
    acknowledged_by text,
    acknowledged_at timestamptz                      -- holds as long as the trouble it was said about
);
CREATE INDEX causes_assignee ON causes (lower(assignee)) WHERE assignee IS NOT NULL;

-- Its plans are kept for as long as a connection lives: one made while the tables were empty must not read them whole,
-- so it may use the primary key only. `outcome` is asked for because the index of open ones would do for `left_at`.
CREATE FUNCTION follow_trouble() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    said  jsonb;
    named text;
    worth record;
BEGIN
    IF NEW.state IN ('failed', 'waiting', 'warning') AND NEW.code IS NOT NULL THEN
        said := coalesce(NEW.reason -> 0, jsonb_build_object('code', NEW.code));
        named := cause_of(NEW.interface, NEW.flow, NEW.code, said);
        IF NEW.flow = 'order-import' THEN
            SELECT * INTO worth FROM order_amount(NEW.id, NEW.payload_no);
        ELSE
            SELECT NULL::numeric AS amount, NULL::text AS currency INTO worth;
        END IF;
        UPDATE troubles SET left_at = now(), outcome = 'other', state = NULL
        WHERE record_id = NEW.id AND cause <> named AND outcome IS NULL;
        INSERT INTO troubles AS t (record_id, cause, interface, flow, code, problem, state, amount, currency, ship_by)
        VALUES (NEW.id, named, NEW.interface, NEW.flow, NEW.code, said, NEW.state, worth.amount, worth.currency,
                NEW.ship_by)
        ON CONFLICT (record_id, cause) DO UPDATE SET problem = excluded.problem, state = excluded.state,
            amount = excluded.amount, currency = excluded.currency, ship_by = excluded.ship_by, seen_at = now(),
            entered_at = CASE WHEN t.left_at IS NULL THEN t.entered_at ELSE now() END, left_at = NULL, outcome = NULL;
    ELSIF NEW.state IN ('done', 'skipped', 'never', 'warning') THEN
        UPDATE troubles SET left_at = now(), state = NULL,
            outcome = CASE NEW.state WHEN 'warning' THEN 'done' ELSE NEW.state END
        WHERE record_id = NEW.id AND outcome IS NULL;
    ELSE
        UPDATE troubles SET state = NULL WHERE record_id = NEW.id AND outcome IS NULL AND state IS NOT NULL;
    END IF;
    RETURN NULL;
END $$;

-- Rows in trouble already. It began when they changed last; nothing older is known of them.
INSERT INTO troubles (record_id, cause, interface, flow, code, problem, state, amount, currency, ship_by, entered_at,
                      seen_at)
SELECT r.id, cause_of(r.interface, r.flow, r.code, p.said), r.interface, r.flow, r.code, p.said, r.state, w.amount,
       w.currency, r.ship_by, r.updated_at, r.updated_at
FROM records r
     CROSS JOIN LATERAL (SELECT coalesce(r.reason -> 0, jsonb_build_object('code', r.code)) AS said) p
     LEFT JOIN LATERAL order_amount(CASE WHEN r.flow = 'order-import' THEN r.id END, r.payload_no) w ON true
WHERE r.state IN ('failed', 'waiting', 'warning') AND r.code IS NOT NULL;

CREATE TRIGGER records_in_trouble AFTER INSERT ON records FOR EACH ROW
    WHEN (NEW.state IN ('failed', 'waiting', 'warning') AND NEW.code IS NOT NULL)
    EXECUTE FUNCTION follow_trouble();

-- The last line: one that ends at its first claim never was in trouble, and that is almost every order.
CREATE TRIGGER records_trouble AFTER UPDATE OF state ON records FOR EACH ROW
    WHEN (NEW.state IN ('failed', 'waiting', 'warning') OR OLD.state IN ('failed', 'waiting', 'warning')
          OR NEW.state IN ('done', 'skipped') AND OLD.state NOT IN ('done', 'skipped')
             AND (NEW.claim_no > 1 OR OLD.state <> 'running'))
    EXECUTE FUNCTION follow_trouble();

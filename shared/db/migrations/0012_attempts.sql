-- What was said to remote systems: one row an attempt that made calls, packed by `records/exchanges.py`.

-- A table of its own, in weeks: what is old goes by dropping its week, and lists of attempts do not read it.
CREATE TABLE exchanges (
    record_id bigint NOT NULL,
    claim_no  integer NOT NULL,
    at        timestamptz NOT NULL DEFAULT now(),
    body      bytea NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX exchanges_record ON exchanges (record_id, claim_no);
-- It is compressed already.
ALTER TABLE exchanges ALTER COLUMN body SET STORAGE EXTERNAL;

-- Weeks made ahead; there is no default partition, so a missing week is an error and not a dump.
CREATE FUNCTION make_exchange_weeks(ahead integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    week date := date_trunc('week', now() AT TIME ZONE 'UTC')::date;
    made integer := 0;
    name text;
BEGIN
    FOR i IN -1..ahead LOOP
        name := 'exchanges_' || to_char(week + i * 7, 'YYYY_MM_DD');
        IF to_regclass(name) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF exchanges FOR VALUES FROM (%L) TO (%L)', name,
                (week + i * 7)::text || ' 00:00:00+00', (week + i * 7 + 7)::text || ' 00:00:00+00');
            made := made + 1;
        END IF;
    END LOOP;
    RETURN made;
END $$;

-- Drops the weeks that ended more than so many days ago.
CREATE FUNCTION drop_exchange_weeks(keep_days integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    oldest  date := (now() AT TIME ZONE 'UTC')::date - keep_days - 7;
    dropped integer := 0;
    name    text;
BEGIN
    FOR name IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'exchanges'::regclass
    LOOP
        IF to_date(right(name, 10), 'YYYY_MM_DD') < oldest THEN
            EXECUTE format('DROP TABLE %I', name);
            dropped := dropped + 1;
        END IF;
    END LOOP;
    RETURN dropped;
END $$;
SELECT make_exchange_weeks(12);

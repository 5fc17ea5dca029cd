-- Services whose role may not change the schema: what they make and drop while they run goes through functions that work
-- as the tables' owner (ADR 35). Who may do what else is not written here but in `db/roles.py`, and granted by each
-- `connect migrate`: roles belong to the server, not to the database, and an installation may have one role only.

-- Bounds: whoever may call them must not be able to fill the catalogue or to drop what is in use.
CREATE OR REPLACE FUNCTION make_transition_months(ahead integer) RETURNS integer LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    month date := date_trunc('month', now() AT TIME ZONE 'UTC')::date;
    made  integer := 0;
    name  text;
BEGIN
    FOR i IN -1..least(ahead, 24) LOOP
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

CREATE OR REPLACE FUNCTION make_exchange_weeks(ahead integer) RETURNS integer LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    week date := date_trunc('week', now() AT TIME ZONE 'UTC')::date;
    made integer := 0;
    name text;
BEGIN
    FOR i IN -1..least(ahead, 104) LOOP
        name := 'exchanges_' || to_char(week + i * 7, 'YYYY_MM_DD');
        IF to_regclass(name) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF exchanges FOR VALUES FROM (%L) TO (%L)', name,
                (week + i * 7)::text || ' 00:00:00+00', (week + i * 7 + 7)::text || ' 00:00:00+00');
            made := made + 1;
        END IF;
    END LOOP;
    RETURN made;
END $$;

CREATE OR REPLACE FUNCTION drop_exchange_weeks(keep_days integer) RETURNS integer LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    oldest  date := (now() AT TIME ZONE 'UTC')::date - greatest(keep_days, 7) - 7;
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

-- Not for everybody: `db/roles.py` lets the services' role call every such function.
REVOKE ALL ON FUNCTION make_transition_months(integer), make_exchange_weeks(integer), drop_exchange_weeks(integer)
    FROM PUBLIC;

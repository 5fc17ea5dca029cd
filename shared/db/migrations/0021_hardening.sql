-- Hardening: an audit that is only added to and shows when it was not, tokens that end, links of mails that are kept
-- nowhere.

-- A line of the audit is sealed some seconds after it was written, in the order of sealing: so no deed waits for
-- another's. line: the hash of what the line says; hash: of the one before and of this line.
CREATE TABLE audit_chain (
    no        bigint PRIMARY KEY,                      -- 1, 2, 3 … without a gap
    audit_id  bigint NOT NULL UNIQUE,
    line      bytea NOT NULL,
    hash      bytea NOT NULL,
    sealed_at timestamptz NOT NULL DEFAULT now(),
    erased_at timestamptz                              -- the line was forgotten, or a person in it, as the rules say
);

-- What a line says, as bytes that are the same whatever the session's time zone.
CREATE FUNCTION audit_line(audit) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(convert_to(jsonb_build_array($1.id, extract(epoch FROM $1.at), $1.actor, $1.verb, $1.target,
                                               $1.reason)::text, 'UTF8'))
$$;

-- Only the functions that forget old lines and erase a person change any; the call stack says who calls.
CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
DECLARE
    stack text;
BEGIN
    GET DIAGNOSTICS stack = PG_CONTEXT;
    IF TG_OP <> 'TRUNCATE' AND stack ~ '\m(forget_audit|erase_in_audit)\M' THEN
        UPDATE audit_chain SET erased_at = coalesce(erased_at, now()) WHERE audit_id = OLD.id;
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    RAISE EXCEPTION 'the audit is only added to' USING ERRCODE = 'insufficient_privilege',
        HINT = 'Lines are forgotten by forget_audit, and persons in them by erase_in_audit.';
END $$;
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_only_grows();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows();

CREATE FUNCTION audit_chain_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- One trigger deeper is the mark of the function above.
    IF TG_OP = 'UPDATE' AND pg_trigger_depth() > 1 AND (OLD.no, OLD.audit_id, OLD.line, OLD.hash, OLD.sealed_at)
        = (NEW.no, NEW.audit_id, NEW.line, NEW.hash, NEW.sealed_at) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the chain of the audit is only added to' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON audit_chain
    FOR EACH ROW EXECUTE FUNCTION audit_chain_only_grows();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON audit_chain
    FOR EACH STATEMENT EXECUTE FUNCTION audit_chain_only_grows();

-- Tokens that were there stay without an end.
ALTER TABLE tokens ADD expires_at timestamptz;

-- The links of mails are signed and kept nowhere: what a backup holds opens nothing.
ALTER TABLE recipients ALTER token DROP NOT NULL;
UPDATE recipients SET token = NULL;

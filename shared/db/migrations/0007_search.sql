-- Lists, counts and searches that hold at ten million records.

-- Numbers are sorted by their characters, whatever the locale: so the unique index gives the order by number, too.
ALTER TABLE records ALTER key TYPE text COLLATE "C";

-- A list is a merge of strands (interface, state), each in the order of its last run.
DROP INDEX records_journal;
CREATE INDEX records_journal ON records (flow, interface, state, updated_at, id) INCLUDE (test);
CREATE INDEX records_ordered ON records (flow, interface, (coalesce(ordered_at, '-infinity'::timestamptz)), id)
    WHERE flow <> 'stock';
-- A narrow stretch of any of these is found by where its rows lie; costs a claim nothing. Multi: a row of another time
-- that found room among them does not make the whole range look wide.
DROP INDEX records_input;
CREATE INDEX records_times ON records USING brin (input_at timestamptz_minmax_multi_ops,
    received_at timestamptz_minmax_multi_ops, changed_at timestamptz_minmax_multi_ops)
    WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX records_codes ON records USING gin ((jsonb_path_query_array(reason, '$[*].code')))
    WHERE reason IS NOT NULL;
CREATE INDEX parts_open ON parts (part, state) WHERE state NOT IN ('done', 'warning');

-- The words of what a record is searched by, written behind by the indexer. null: too many words, look at the record.
CREATE TABLE search_texts (
    record_id bigint PRIMARY KEY,
    words     tsvector
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE search_texts ALTER words SET STATISTICS 200;
CREATE INDEX search_texts_words ON search_texts USING gin (words) WITH (gin_pending_list_limit = 1024);
CREATE INDEX search_texts_whole ON search_texts (record_id) WHERE words IS NULL;

-- Records whose text may have changed since: a row for each time, only added here, only deleted by the indexer. What is
-- in here is searched as it is now, so a search never waits for the indexer.
CREATE TABLE search_stale (record_id bigint NOT NULL)
    WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
          autovacuum_vacuum_insert_threshold = -1);
CREATE INDEX search_stale_record ON search_stale (record_id);
INSERT INTO search_stale SELECT id FROM records;

-- An order and its export are found by what either says, so both are noted. The other one is looked up in the order of
-- the unique index, and nothing may be sorted: the plan is made once, maybe while the table is empty, and kept, and any
-- other index that begins with the flow looks as good then.
CREATE FUNCTION note_new_records() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
BEGIN
    INSERT INTO search_stale
    SELECT id FROM new_ones
    UNION ALL SELECT o.id FROM (
        SELECT m.interface, m.key, CASE m.flow WHEN 'order-import' THEN 'order-export' ELSE 'order-import' END AS flow
        FROM new_ones m WHERE m.flow <> 'stock' AND NOT EXISTS (
            SELECT FROM new_ones too WHERE too.interface = m.interface AND too.key = m.key AND too.flow <> m.flow
                AND too.flow <> 'stock')) n,
      LATERAL (SELECT r.id, r.interface, r.flow, r.key FROM records r
               WHERE (r.interface, r.flow, r.key) >= (n.interface, n.flow, n.key)
               ORDER BY r.interface, r.flow, r.key LIMIT 1) o
    WHERE o.interface = n.interface AND o.flow = n.flow AND o.key = n.key;
    RETURN NULL;
END $$;
CREATE TRIGGER records_new AFTER INSERT ON records REFERENCING NEW TABLE AS new_ones
    FOR EACH STATEMENT EXECUTE FUNCTION note_new_records();

CREATE FUNCTION note_other_side(of_interface text, of_flow text, of_key text) RETURNS void LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    other text := CASE of_flow WHEN 'order-import' THEN 'order-export' WHEN 'order-export' THEN 'order-import' END;
BEGIN
    INSERT INTO search_stale SELECT o.id FROM (
        SELECT r.id, r.interface, r.flow, r.key FROM records r
        WHERE (r.interface, r.flow, r.key) >= (of_interface, other, of_key)
        ORDER BY r.interface, r.flow, r.key LIMIT 1) o
    WHERE o.interface = of_interface AND o.flow = other AND o.key = of_key;
END $$;
CREATE FUNCTION note_changed_record() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO search_stale VALUES (NEW.id);
    IF NEW.flow <> 'stock' AND (OLD.payload_no <> NEW.payload_no OR OLD.remote IS DISTINCT FROM NEW.remote) THEN
        -- The collation of one argument becomes that of all, and then no index fits the other columns.
        PERFORM note_other_side(NEW.interface, NEW.flow, NEW.key COLLATE "default");
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER records_changed AFTER UPDATE ON records FOR EACH ROW
    WHEN (OLD.payload_no <> NEW.payload_no OR OLD.remote IS DISTINCT FROM NEW.remote
          OR OLD.reason IS DISTINCT FROM NEW.reason OR OLD.marketplace_id IS DISTINCT FROM NEW.marketplace_id)
    EXECUTE FUNCTION note_changed_record();

-- What belongs to a record: a shipment, a number given out, what an interface lists an article as.
CREATE FUNCTION note_record_and_other(noted bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO search_stale VALUES (noted);
    PERFORM note_other_side(interface, flow, key COLLATE "default") FROM records WHERE id = noted AND flow <> 'stock';
END $$;
CREATE FUNCTION note_belonging() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.record_id IS NOT NULL THEN
        PERFORM note_record_and_other(OLD.record_id);
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.record_id IS NOT NULL THEN
        PERFORM note_record_and_other(NEW.record_id);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER shipments_said AFTER INSERT OR DELETE OR UPDATE OF record_id, tracking_number ON shipments
    FOR EACH ROW EXECUTE FUNCTION note_belonging();
CREATE TRIGGER return_numbers_given AFTER INSERT OR DELETE OR UPDATE OF record_id, number ON return_numbers
    FOR EACH ROW EXECUTE FUNCTION note_belonging();

CREATE FUNCTION note_articles() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO search_stale SELECT record_id FROM new_ones;
    RETURN NULL;
END $$;
CREATE TRIGGER articles_new AFTER INSERT ON articles REFERENCING NEW TABLE AS new_ones
    FOR EACH STATEMENT EXECUTE FUNCTION note_articles();
CREATE FUNCTION note_article() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO search_stale VALUES (NEW.record_id);
    RETURN NULL;
END $$;
CREATE TRIGGER articles_renamed AFTER UPDATE ON articles FOR EACH ROW
    WHEN (OLD.name IS DISTINCT FROM NEW.name OR OLD.foreign_sku IS DISTINCT FROM NEW.foreign_sku
          OR OLD.parent_sku IS DISTINCT FROM NEW.parent_sku)
    EXECUTE FUNCTION note_article();

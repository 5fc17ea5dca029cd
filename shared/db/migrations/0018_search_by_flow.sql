-- Indexed words begin with a letter for their flow (shared/records/indexed.py): what was written before is written again,
-- and searched as it stands meanwhile.
TRUNCATE search_texts;
INSERT INTO search_stale SELECT id FROM records;

-- A rejection that nobody needs is set aside with a reason, and can be opened again.
ALTER TABLE rejections ADD reason text;
ALTER TABLE rejections DROP CONSTRAINT rejections_state_check;
ALTER TABLE rejections ADD CONSTRAINT rejections_state_check CHECK (state IN ('open', 'resubmitted', 'set-aside'));
-- The same body again is a duplicate of the one that was set aside as well: who sends it over and over is not heard again.
DROP INDEX rejections_open;
CREATE UNIQUE INDEX rejections_open ON rejections (body_hash) WHERE state <> 'resubmitted';

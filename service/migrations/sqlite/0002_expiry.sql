-- When an open exam ends by itself; null for those that were started before this was kept.
ALTER TABLE exams ADD COLUMN expires_at BIGINT;
CREATE INDEX exams_overdue ON exams (expires_at) WHERE ended_at IS NULL;

-- The last sign of life of any replica, and what is added to the database's clock to get the clock of exams, both in
-- milliseconds: one row.
CREATE TABLE heartbeat (
    id         BIGINT PRIMARY KEY,
    at         BIGINT NOT NULL,
    correction BIGINT NOT NULL
);
INSERT INTO heartbeat (id, at, correction) VALUES (1, 0, 0);

-- Periods without a sign of life, in milliseconds since 1970 UTC on the clock of exams.
CREATE TABLE outages (
    began_at BIGINT PRIMARY KEY,
    ended_at BIGINT NOT NULL
);

-- Ids of students and classes that are not integers.
ALTER TABLE examinees ADD COLUMN student TEXT;
ALTER TABLE examinees ADD COLUMN class TEXT;
CREATE INDEX examinees_student_text ON examinees (student);

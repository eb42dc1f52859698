-- Forward only. Plain SQL: the same statements run on SQLite and PostgreSQL; only this file,
-- which makes the tables, has one form per database.

-- An item bank, content-addressed: an exam keeps the version it started with.
CREATE TABLE banks (
    version TEXT PRIMARY KEY,
    body    TEXT NOT NULL
);

-- An exam: a row that never changes, but for the time it ended (a copy of its last event, for lists).
CREATE TABLE exams (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    exam_type       TEXT    NOT NULL,
    policy          TEXT    NOT NULL,
    bank_version    TEXT    NOT NULL REFERENCES banks (version),
    seed            BIGINT  NOT NULL,
    engine_version  TEXT    NOT NULL,
    started_at      BIGINT  NOT NULL,
    idempotency_key TEXT    UNIQUE,
    fingerprint     TEXT    NOT NULL,
    ended_at        BIGINT
);
CREATE INDEX exams_open ON exams (id) WHERE ended_at IS NULL;

-- Who sat the exam: apart from the measurement, erasable.
CREATE TABLE examinees (
    exam_id    BIGINT PRIMARY KEY REFERENCES exams (id),
    student_id BIGINT,
    class_id   BIGINT
);
CREATE INDEX examinees_student ON examinees (student_id);

-- The truth: one row is one event; its insertion is the commit and the compare-and-set.
CREATE TABLE events (
    exam_id   BIGINT NOT NULL REFERENCES exams (id),
    seq       BIGINT NOT NULL,
    at        BIGINT NOT NULL,
    kind      TEXT   NOT NULL,
    body      TEXT   NOT NULL,
    hash      TEXT   NOT NULL,
    recovered BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (exam_id, seq)
);

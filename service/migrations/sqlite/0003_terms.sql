-- What holds for an exam beside the rules of measurement; null for exams that were started before there were any.
ALTER TABLE exams ADD COLUMN terms TEXT;

-- Who sat it, as a signed token names them, and which of their attempts it is: one exam holds a slot.
ALTER TABLE examinees ADD COLUMN subject TEXT;
ALTER TABLE examinees ADD COLUMN slot TEXT;
CREATE UNIQUE INDEX examinees_slot ON examinees (slot);
CREATE INDEX examinees_subject ON examinees (subject);

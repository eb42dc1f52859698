// The page to take an exam.

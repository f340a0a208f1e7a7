-- Whether a review hears the simulation's study, where there is one.
ALTER TABLE reviews ADD COLUMN study INTEGER NOT NULL DEFAULT 1;

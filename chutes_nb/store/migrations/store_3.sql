-- Since when a running attempt is silent for longer than is usual for it.
ALTER TABLE jobs ADD COLUMN quiet_since REAL;

CREATE TABLE stages (
  seq     INTEGER PRIMARY KEY,
  job     TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  attempt INTEGER NOT NULL,
  name    TEXT NOT NULL,
  at      REAL NOT NULL
) STRICT;
CREATE INDEX stages_job ON stages (job);

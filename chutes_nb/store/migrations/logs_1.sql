CREATE TABLE clock (
  id  INTEGER PRIMARY KEY CHECK (id = 1),
  rev INTEGER NOT NULL
) STRICT;
INSERT INTO clock VALUES (1, 0);

CREATE TABLE chunks (
  job     TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  start   INTEGER NOT NULL,
  stop    INTEGER NOT NULL,
  body    BLOB NOT NULL,
  PRIMARY KEY (job, attempt, start),
  CHECK (stop = start + length(body))
) STRICT;

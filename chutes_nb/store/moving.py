"""The moves of jobs: how each is numbered, and how those of one job are found."""

from __future__ import annotations

from .db import Row, Transaction
from .transaction import NEXT as NEXT

# From the newest back, each by its number; a damaged one leads nobody round in a ring.
CHAIN = """
WITH RECURSIVE chain (seq, before) AS (
  SELECT seq, before FROM moves WHERE seq = :newest
   UNION ALL
  SELECT moves.seq, moves.before
    FROM moves JOIN chain ON moves.seq = chain.before AND moves.seq < chain.seq)
"""
OF_JOB = f"""
{CHAIN.replace(":newest", "(SELECT move FROM jobs WHERE id = :job)")}
SELECT moves.* FROM chain JOIN moves USING (seq) ORDER BY seq
"""
# What each connection of ours would have refused, or cannot have written.
ASTRAY = """
SELECT 'a job whose newest move is another', j.id, j.state
  FROM jobs j LEFT JOIN moves m ON m.seq = j.move
 WHERE m.job IS NOT j.id OR m.target IS NOT j.state
UNION ALL
SELECT 'a move that does not follow the one before', m.job, m.target
  FROM moves m LEFT JOIN moves b ON b.seq = m.before
 WHERE b.target IS NOT m.source OR (b.seq IS NOT NULL AND b.job <> m.job)
UNION ALL
SELECT 'a move that no job leads to', job, target
  FROM moves
 WHERE seq NOT IN (SELECT before FROM moves WHERE before IS NOT NULL
                   UNION SELECT move FROM jobs WHERE move IS NOT NULL)
"""
FORGET = f"{CHAIN} DELETE FROM moves WHERE seq IN (SELECT seq FROM chain)"


def of_job(tx: Transaction, job: str) -> list[Row]:
    """Moves of a job, in their order."""
    return tx.all(OF_JOB, {"job": job})


def forget(tx: Transaction, newest: int) -> None:
    """Delete the moves of a job that is no more, by the number of the newest."""
    tx.run(FORGET, {"newest": newest})

"""What must hold after every storm, as SQL: a row of an answer is a violation.

``s`` is the store; ``ack``, ``ledger``, ``log`` and the others are what the world
outside saw (see check.py). Every query gives a job and a detail.
"""

from __future__ import annotations

ENDED = "('completed', 'failed', 'timeout', 'cancelled', 'interrupted')"

INVARIANTS = {
    "I1 an acknowledged job is not in the store": """
        SELECT a.job, a.kind FROM ack a LEFT JOIN s.jobs j ON j.id = a.job
         WHERE j.id IS NULL""",
    "I2 a job has not ended": f"""
        SELECT id, name || ' is ' || state FROM s.jobs WHERE state NOT IN {ENDED}""",
    "I3 not exactly one terminal move": f"""
        SELECT j.id, count(m.seq) || ' terminal moves' FROM s.jobs j
          LEFT JOIN s.moves m ON m.job = j.id AND m.target IN {ENDED}
         WHERE j.finished_at IS NOT NULL
         GROUP BY j.id HAVING count(m.seq) <> 1""",
    "I3 the last move is not the state": """
        SELECT j.id, m.target || ' but ' || j.state FROM s.jobs j
          JOIN (SELECT job, target, max(seq) FROM s.moves GROUP BY job) m
            ON m.job = j.id
         WHERE m.target <> j.state""",
    "I3 a move that its job does not lead to": """
        SELECT m.job, m.target FROM s.moves m
         WHERE m.seq NOT IN (SELECT before FROM s.moves WHERE before IS NOT NULL
                             UNION SELECT move FROM s.jobs WHERE move IS NOT NULL)""",
    "I3 a move does not follow the one before": """
        SELECT job, before || ' then ' || source || '->' || target FROM (
          SELECT job, source, target,
                 lag(target) OVER (PARTITION BY job ORDER BY seq) AS before
            FROM s.moves)
         WHERE source IS NOT before""",
    "I4 more attempts than allowed": """
        SELECT j.id, count(*) || ' of ' || j.max_attempts
          FROM s.jobs j JOIN s.attempts a ON a.job = j.id
         GROUP BY j.id HAVING count(*) > j.max_attempts""",
    "I4 more starts of a body than allowed": """
        SELECT j.id, count(*) || ' of ' || j.max_attempts
          FROM s.jobs j JOIN ledger l ON l.job = j.id AND l.word = 'start'
         GROUP BY j.id HAVING count(*) > j.max_attempts""",
    "I4 attempts are not numbered one by one": """
        SELECT j.id, count(a.number) || ' attempts, number ' || j.attempt
          FROM s.jobs j LEFT JOIN s.attempts a ON a.job = j.id
         GROUP BY j.id
        HAVING count(a.number) <> j.attempt OR coalesce(max(a.number), 0) <> j.attempt
            OR coalesce(min(a.number), 1) <> 1""",
    "I5 an ended job has a live attempt": """
        SELECT j.id, 'attempt ' || a.number FROM s.jobs j JOIN s.attempts a
            ON a.job = j.id AND a.finished_at IS NULL
         WHERE j.finished_at IS NOT NULL""",
    "I5 a running job has no live attempt": """
        SELECT j.id, j.name FROM s.jobs j
         WHERE j.state = 'running' AND NOT EXISTS (
           SELECT 1 FROM s.attempts WHERE job = j.id AND finished_at IS NULL)""",
    "I5 the last attempt ended otherwise than its job": """
        SELECT j.id, a.state || ' but ' || j.state FROM s.jobs j JOIN s.attempts a
            ON a.job = j.id AND a.number = j.attempt
         WHERE j.finished_at IS NOT NULL AND j.state <> a.state
           AND j.state NOT IN ('cancelled', 'timeout')""",
    "I6 attempts overlap in the store": """
        SELECT a.job, a.number || ' and ' || b.number FROM s.attempts a
          JOIN s.attempts b ON b.job = a.job AND b.number > a.number
         WHERE b.started_at < coalesce(a.finished_at, 9e18) - 0.001""",
    "I6 attempts overlap in the ledger": """
        SELECT a.job, a.attempt || ' and ' || b.attempt FROM span a
          JOIN span b ON b.job = a.job AND b.attempt > a.attempt
         WHERE b.began < a.last""",
    "I7 completed without a result": """
        SELECT j.id, j.name FROM s.jobs j LEFT JOIN s.results r ON r.job = j.id
         WHERE j.state = 'completed' AND r.job IS NULL""",
    "I7 a result without completion": """
        SELECT j.id, j.state FROM s.jobs j JOIN s.results r ON r.job = j.id
         WHERE j.state <> 'completed'""",
    "I7 a result of an attempt that did not complete": """
        SELECT r.job, r.attempt FROM s.results r LEFT JOIN s.attempts a
            ON a.job = r.job AND a.number = r.attempt AND a.state = 'completed'
         WHERE a.job IS NULL""",
    "I7 a result is not what was returned": "SELECT job, problem FROM wrong_result",
    "I7 completed, yet its body did not end": """
        SELECT j.id, j.name FROM s.jobs j
         WHERE j.state = 'completed' AND NOT EXISTS (
           SELECT 1 FROM ledger l WHERE l.job = j.id AND l.attempt = j.attempt
             AND l.word = 'end')""",
    "I8 a log is not a prefix of what was printed": """
        SELECT job, 'attempt ' || attempt || ': ' || problem FROM log
         WHERE problem IS NOT NULL""",
    "I8 a log is not whole after a clean end": """
        SELECT l.job, coalesce(g.size, 0) || ' of ' || l.size || ' bytes'
          FROM said l JOIN s.attempts a ON a.job = l.job AND a.number = l.attempt
          JOIN ledger e ON e.job = l.job AND e.attempt = l.attempt
               AND e.word IN ('end', 'failed')
          LEFT JOIN log g ON g.job = l.job AND g.attempt = l.attempt
         WHERE a.state IN ('completed', 'failed') AND coalesce(g.size, 0) <> l.size""",
    "I9 a kept content is not there": "SELECT job, problem FROM wrong_file",
    "I9 a file that the job left is not kept": """
        SELECT id, 'no file' FROM s.jobs
         WHERE name = 'keeps_file' AND state = 'completed'
           AND id NOT IN (SELECT job FROM s.files)""",
    "I10 a body ran without an attempt": """
        SELECT l.job, 'attempt ' || l.attempt FROM ledger l LEFT JOIN s.attempts a
            ON a.job = l.job AND a.number = l.attempt
         WHERE l.word = 'start' AND a.job IS NULL""",
    "I10 a body ran twice in one attempt": """
        SELECT job, 'attempt ' || attempt FROM ledger WHERE word = 'start'
         GROUP BY job, attempt HAVING count(*) > 1""",
    "I10 a body began after its attempt had ended": """
        SELECT l.job, 'attempt ' || l.attempt FROM ledger l JOIN s.attempts a
            ON a.job = l.job AND a.number = l.attempt
         WHERE l.word = 'start' AND l.wall > a.finished_at + 0.001""",
    "I11 a completed body ended more than once": """
        SELECT l.job, count(*) || ' times' FROM ledger l JOIN s.jobs j ON j.id = l.job
         WHERE l.word = 'end' AND j.state = 'completed' AND j.max_attempts = 1
         GROUP BY l.job HAVING count(*) > 1""",
    "I12 a process was left behind": "SELECT pid, 'not ended' FROM leftover",
    "I13 interrupted, though nobody killed its worker": """
        SELECT a.job, a.reason FROM s.attempts a
          LEFT JOIN s.workers w ON w.id = a.worker
          LEFT JOIN ledger l ON l.job = a.job AND l.attempt = a.number
               AND l.word = 'start'
         WHERE a.state = 'interrupted' AND coalesce(l.pid, w.pid) IS NOT NULL
           AND l.fact IS NOT 'crashes' -- an adopted worker's exit code is not known
           AND coalesce(l.pid, w.pid) NOT IN (SELECT pid FROM killed)""",
    "I14 an end that this kind cannot have": """
        SELECT j.id, j.name || ' ' || j.state || ': ' || coalesce(j.reason, '')
          FROM s.jobs j LEFT JOIN possible p ON p.kind = j.name AND p.state = j.state
         WHERE j.finished_at IS NOT NULL AND p.kind IS NULL""",
    "I15 tried again too early": """
        SELECT a.job, round(b.started_at - a.finished_at, 4) || ' s'
          FROM s.attempts a JOIN s.attempts b ON b.job = a.job
               AND b.number = a.number + 1
          JOIN s.jobs j ON j.id = a.job
         WHERE b.started_at - a.finished_at < json_extract(j.policy, '$.delay_s')
               - 0.001""",
    "I16 an attempt began after the deadline": """
        SELECT a.job, round(a.started_at - j.deadline_at, 3) || ' s late'
          FROM s.attempts a JOIN s.jobs j ON j.id = a.job
         WHERE a.started_at > j.deadline_at""",
    "I17 counts are not what is there": """
        SELECT c.state, c.n || ' but ' || (
                 SELECT count(*) FROM s.jobs WHERE state = c.state) FROM s.counts c
         WHERE c.n <> (SELECT count(*) FROM s.jobs WHERE state = c.state)""",
    "I18 two at once of what may be only one": """
        SELECT a.job, a.kind || ' with ' || b.job FROM span a JOIN span b
            ON b.kind = a.kind AND b.job <> a.job AND b.began > a.began
         WHERE a.kind IN (SELECT kind FROM alone) AND b.began < a.last""",
    "I19 what was saved was not restored": """
        SELECT l.job, l.fact || ' restored, saved were ' || max(CAST(e.fact AS INT))
          FROM ledger l JOIN ledger e ON e.job = l.job AND e.word = 'saved'
               AND e.attempt < l.attempt
         WHERE l.word = 'restored' GROUP BY l.job, l.attempt
        HAVING CAST(l.fact AS INT) < max(CAST(e.fact AS INT))""",
    "I21 a job waits for one that has ended, or is gone": """
        SELECT j.id, coalesce(p.state, 'gone') FROM s.jobs j
          LEFT JOIN s.jobs p ON p.id = j.after
         WHERE j.waits = 1 AND (p.id IS NULL OR p.finished_at IS NOT NULL)""",
    "I21 a job began before the one it follows had completed": """
        SELECT a.job, p.state || ' ' || p.id FROM s.attempts a
          JOIN s.jobs j ON j.id = a.job JOIN s.jobs p ON p.id = j.after
         WHERE a.started_at < coalesce(p.finished_at, 9e18) - 0.001
            OR p.state <> 'completed'""",
    "I21 a job outlived the bad end of the one it follows": """
        SELECT j.id, j.state || ' after ' || p.state FROM s.jobs j
          JOIN s.jobs p ON p.id = j.after
         WHERE p.finished_at IS NOT NULL AND p.state <> 'completed'
           AND j.state <> 'cancelled'""",
    "I22 what was told is not there once": """
        SELECT job, what || ': ' || found || ' of ' || wanted FROM (
          SELECT j.id AS job, 'partials' AS what, CAST(l.fact AS INT) AS wanted,
                 (SELECT count(*) FROM s.partials
                   WHERE job = j.id AND attempt = j.attempt) AS found
            FROM s.jobs j JOIN ledger l ON l.job = j.id AND l.attempt = j.attempt
                 AND l.word = 'told'
           WHERE j.state = 'completed'
           UNION ALL
          SELECT j.id, 'metrics', CAST(l.fact AS INT),
                 (SELECT count(*) FROM s.metrics
                   WHERE job = j.id AND attempt = j.attempt)
            FROM s.jobs j JOIN ledger l ON l.job = j.id AND l.attempt = j.attempt
                 AND l.word = 'told'
           WHERE j.state = 'completed')
         WHERE found <> wanted""",
    "I20 timed out before the time was up": """
        SELECT a.job, round(a.finished_at - l.wall, 3) || ' of ' || j.timeout_s || ' s'
          FROM s.attempts a JOIN s.jobs j ON j.id = a.job
          JOIN ledger l ON l.job = a.job AND l.attempt = a.number AND l.word = 'start'
         WHERE a.state = 'timeout' AND j.deadline_at IS NULL
           AND a.finished_at - l.wall < j.timeout_s - 0.05""",
}

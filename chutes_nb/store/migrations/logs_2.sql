-- Line ends in the attempt's output before the chunk; NULL where nobody counted them.
ALTER TABLE chunks ADD COLUMN lines INTEGER;

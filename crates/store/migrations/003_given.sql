-- What an attempt was given, which a later daemon cannot know.

-- NULL: begun before this was kept.
ALTER TABLE job_attempts ADD COLUMN threads INTEGER;

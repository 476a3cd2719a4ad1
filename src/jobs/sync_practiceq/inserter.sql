-- Whether an INSTEAD OF trigger inserts the visits: the visits are a view of the application's table then.
SELECT EXISTS (
    SELECT FROM pg_trigger t
    -- The bits of the catalog: 4 is INSERT, 64 is INSTEAD OF; D is a trigger that is disabled.
    WHERE t.tgrelid = to_regclass('appointments') AND t.tgtype & 68 = 68 AND t.tgenabled <> 'D'
) AS is_trigger

-- The link of a visit: what the account says, where it says another link than before, or none any more of its own. A link
-- that a person entered is never replaced by none.
-- The caller provides {said}, the account's link, {said_before} and {link}, its former link and that of the visit, all
-- texts. An expression; the caller may continue in any way.
CASE WHEN {said} IS DISTINCT FROM {said_before}
          AND ({said} IS NOT NULL OR {link} IS NOT DISTINCT FROM {said_before})
     THEN {said} ELSE {link} END

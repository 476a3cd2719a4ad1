-- Providers whose names fit, each once, by the best of their names. The parts give the names that fit, with their rank (0:
-- so called, 1: begins so), near (2: in the city, 1: in the state), and whether there may be more (cut).
-- $4 how many names may be read of a range bigint; for the others see the parts
SELECT x.npi, {names}, x.address, x.city, x.state, x.zip, x.primary_taxonomy, x.other_name, x.other_kind, x.folded,
       x.rank, x.near, x.cut
FROM (
    SELECT DISTINCT ON (f.npi) f.* FROM (
{rows}
    ) f
    ORDER BY f.npi, f.rank, f.name_number
) x
ORDER BY x.rank, x.near DESC, x.folded COLLATE "C", x.npi
LIMIT $4

-- The other names in a staged file whose provider is not only deactivated, as a first load writes them.
(
    SELECT x.* FROM (
    {new}
    ) x
    WHERE NOT EXISTS (SELECT FROM {stage} b WHERE b.npi = x.npi AND b.bare AND b.line > 0 AND b.reject IS NULL)
) n

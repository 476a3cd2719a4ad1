-- Whether a provider is active: an expression. The caller provides d, a row of npi_data. Continue with AS active.
(d.deactivated_on IS NULL OR COALESCE(d.reactivated_on >= d.deactivated_on, false))

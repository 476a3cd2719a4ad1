-- The visits of an organization's patients that the account has and that are not over, the next first.
-- The caller provides the expressions of the texts.
-- $1 organization, a key · $2 now timestamptz · $3 whether only those without a link boolean · $4 how many bigint
SELECT a.id::text AS id, v.external_id, a.patient_id::text AS patient_id, a.facility_id::text AS facility_id,
       a.doctor_id::text AS doctor_id, a.status::text AS status, v.starts_at, v.ends_at,
       {location_name} AS location_name, {place_of_service} AS place_of_service, {meeting_url} AS meeting_url
FROM practiceq_visits v JOIN appointments a ON a.external_id = v.external_id
-- The longest visit that is read has 31 days. The first condition is there for the index.
WHERE v.deleted_at IS NULL AND v.starts_at >= $2 - interval '31 days' AND coalesce(v.ends_at, v.starts_at) >= $2
  AND a.status IN ('SCHEDULED', 'CONFIRMED', 'CHECKED_IN', 'IN_PROGRESS')
  AND EXISTS (SELECT FROM patient_organization_affiliations l
              WHERE l.organization_id = $1 AND l.patient_id = a.patient_id AND l.status = 'active')
  AND (v.meeting_url IS NULL OR NOT $3)
ORDER BY v.starts_at, v.external_id
LIMIT $4

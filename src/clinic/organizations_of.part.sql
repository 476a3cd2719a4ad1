-- The organizations of a user: those for which a case manager works; of a HOSPITAL_ADMIN or a SUPERVISOR those of the
-- facility, and of a HOSPITAL_ADMIN without a facility all.
-- The role as text, because the application's type of it need not have these names.
-- The caller provides {user}, the id of the user, a key. It is a SELECT (id, facility_id).
SELECT o.id, o.facility_id FROM organizations o
WHERE EXISTS (SELECT FROM users x
              WHERE x.id = {user} AND x.role::text = 'CASE_MANAGER'
                AND EXISTS (SELECT FROM organization_users m
                            WHERE m.organization_id = o.id AND m.user_id = x.id AND m.role = 'CASE_MANAGER'))
   OR EXISTS (SELECT FROM users x
              WHERE x.id = {user} AND x.role::text IN ('HOSPITAL_ADMIN', 'SUPERVISOR')
                AND x.facility_id = o.facility_id)
   OR EXISTS (SELECT FROM users x WHERE x.id = {user} AND x.role::text = 'HOSPITAL_ADMIN' AND x.facility_id IS NULL)

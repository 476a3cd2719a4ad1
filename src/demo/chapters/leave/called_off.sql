-- A patient calls: the visit of tomorrow is off.
UPDATE appointments SET status = 'CANCELLED', cancelled_at = {now}, cancelled_reason = 'the patient called',
                        updated_at = {now}
WHERE id = 7004;

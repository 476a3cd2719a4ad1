-- Whether a slot that is blocked for an absence x is no more booked by anybody, an expression.
(s.is_booked
 AND (s.appointment_id IS NULL AND x.type::text = 'EMERGENCY'
      OR EXISTS (SELECT FROM appointments v WHERE v.id = s.appointment_id AND v.status = 'CANCELLED')))

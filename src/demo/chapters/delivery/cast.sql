-- Three reminders that the clinic's application has staged; one patient wants no SMS, another has no phone.
INSERT INTO patients (id, mrn, first_name, last_name, phone, sms_opt_out)
OVERRIDING SYSTEM VALUE
VALUES (9031, 'MRN-9031', 'Leocadia', 'Larkspurne', '+1 212 555 0131', false),
       (9032, 'MRN-9032', 'Merrick', 'Mossgarth', '+1 212 555 0132', true),
       (9033, 'MRN-9033', 'Nerissa', 'Nettlebee', NULL, false);

INSERT INTO notifications (facility_id, recipient_kind, recipient_id, channel, type, title, body, entity, entity_id,
                           dedupe_key, status, created_at)
SELECT '1', 'PATIENT', p.id::text, 'SMS', 'LAB_READY', 'Your results', 'Your results are there. Please call the clinic.',
       'patient', p.id::text, format('LAB_READY:%s', p.id), 'PENDING', {now} - interval '5 minutes'
FROM patients p WHERE p.id BETWEEN 9031 AND 9033;

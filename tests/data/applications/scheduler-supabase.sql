-- The application of the tests: a scheduler on Supabase, fed from a PracticeQ account.
-- Source: tables and columns as a real scheduler on Supabase has them, as its clients see them; keys, defaults, foreign
-- keys and checks are what such an application has beside them. adopt/scheduler-supabase.sql is the kit for it.

-- The role of the application's users, which every Supabase project has.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'authenticated') THEN
        CREATE ROLE authenticated;
    END IF;
END $$;

CREATE TYPE public.partner_stage AS ENUM ('lead', 'contacted', 'active', 'dormant');
CREATE TYPE public.partner_status AS ENUM ('prospect', 'active', 'inactive');
CREATE TYPE public.provider_engagement_type AS ENUM ('employee', 'contractor');

CREATE TABLE public.organizations (
    address                           text,
    baa_accepted_at                   timestamptz,
    baa_accepted_by                   uuid,
    baa_version                       text,
    city                              text,
    county                            text,
    created_at                        timestamptz DEFAULT now(),
    default_case_manager_id           uuid,
    email                             text,
    fax                               text,
    hours_of_operation                text,
    id                                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    is_referral_destination           boolean,
    last_activity_at                  timestamptz,
    name                              text NOT NULL,
    name_canonical                    text,
    notes                             text,
    partner_type                      text,
    partnership_agreement_accepted_at timestamptz,
    phone                             text,
    pipeline_notes                    text,
    postal_code                       text,
    referral_internal_notes           text,
    referral_notes                    text,
    region                            text,
    service_area                      text,
    settings                          jsonb,
    source                            text,
    source_id                         text,
    stage                             public.partner_stage,
    state                             text,
    status                            public.partner_status,
    tags                              text[],
    type                              text,
    updated_at                        timestamptz,
    website                           text
);

CREATE TABLE public.providers (
    about                                       text,
    accepts_new_patients                        boolean,
    address                                     text,
    annual_salary                               numeric,
    athena_provider_id                          text,
    auth_user_id                                uuid,
    availability                                boolean,
    bank_account_number                         text,
    bank_routing_number                         text,
    booking_buffer_minutes                      integer,
    business_entity_id                          uuid,
    calendar_source_id                          text,
    caqh_provider_id                            text,
    created_date                                timestamptz,
    date_of_birth                               date,
    email                                       text,
    email_custom                                text,
    engagement_type                             public.provider_engagement_type NOT NULL DEFAULT 'employee',
    fax_number                                  text,
    first_name                                  text,
    id                                          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    intakeq_practitioner_id                     text,
    is_active                                   boolean,
    is_bookable                                 boolean,
    languages_spoken                            text[],
    last_login_at                               timestamptz,
    last_name                                   text,
    list_on_provider_page                       boolean,
    location_of_birth                           text,
    malpractice_insurance_expiration_deprecated text,
    malpractice_insurance_id_deprecated         text,
    max_daily_appointments                      integer,
    med_school_grad_year                        integer,
    med_school_org                              text,
    medicaid_provider_id                        text,
    modified_date                               timestamptz,
    npi                                         text,
    pay_frequency                               text,
    personal_booking_url                        text,
    phone_number                                text,
    preferred_name                              text,
    profile_completed                           boolean,
    profile_image_url                           text,
    provider_sex                                text,
    provider_type                               text,
    residency_grad_month                        integer,
    residency_grad_year                         integer,
    residency_org                               text,
    role                                        text,
    role_id                                     uuid,
    ssn_encrypted                               text,
    tax_id                                      text,
    taxonomy                                    text,
    telehealth_enabled                          boolean,
    title                                       text,
    updated_at                                  timestamptz,
    user_id                                     uuid,
    utah_allowances                             integer,
    utah_id                                     text,
    w4_filing_status                            text,
    w4_step2_multiple_jobs                      boolean,
    w4_step3_dependents                         numeric,
    w4_step4a_other_income                      numeric,
    w4_step4b_deductions                        numeric,
    w4_step4c_extra_withholding                 numeric,
    what_i_look_for_in_a_patient                text,
    worker_classification                       text,
    workspace_email                             text
);

CREATE TABLE public.patients (
    address                      jsonb,
    age                          integer,
    alternate_emails             jsonb,
    athena_patient_id            text,
    claims_verified_at           timestamptz,
    created_at                   timestamptz DEFAULT now(),
    created_by                   uuid,
    date_of_birth                date,
    default_diagnosis_codes      text[],
    deleted_at                   timestamptz,
    do_not_contact               boolean NOT NULL DEFAULT false,
    email                        text,
    engagement_status            text,
    engagement_status_note       text,
    engagement_status_updated_at timestamptz,
    engagement_status_updated_by uuid,
    first_name                   text NOT NULL,
    gender                       text,
    id                           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    insurance_primary            jsonb,
    insurance_secondary          jsonb,
    intakeq_client_id            text,
    intakeq_email_alias          text,
    intakeq_guid                 text,
    is_test_patient              boolean NOT NULL DEFAULT false,
    last_follow_up_note_date     date,
    last_follow_up_synced_at     timestamptz,
    last_follow_up_text          text,
    last_intakeq_sync            timestamptz,
    last_name                    text NOT NULL,
    last_outreach_response_at    timestamptz,
    last_outreach_sent_at        timestamptz,
    medicaid_id                  text,
    metadata                     jsonb,
    mrn                          text,
    phone                        text,
    phone_normalized             text,
    practiceq_client_id          text,
    preferred_name               text,
    primary_payer_id             uuid,
    primary_provider_id          uuid REFERENCES public.providers,
    provider_id                  uuid NOT NULL REFERENCES public.providers,
    referred_by_organization_id  uuid,
    referred_by_partner_user_id  uuid,
    search_vector                tsvector NOT NULL
                                 GENERATED ALWAYS AS (to_tsvector('simple', first_name || ' ' || last_name)) STORED,
    status                       text,
    updated_at                   timestamptz,
    UNIQUE (email, date_of_birth)
);

CREATE TABLE public.provider_intakeq_settings (
    created_at      timestamptz DEFAULT now(),
    location_id     text NOT NULL,
    practitioner_id text,
    provider_id     uuid PRIMARY KEY REFERENCES public.providers,
    service_id      text NOT NULL,
    updated_at      timestamptz
);

CREATE TABLE public.partner_users (
    auth_user_id             uuid NOT NULL,
    contact_id               uuid,
    created_at               timestamptz DEFAULT now(),
    email                    text,
    email_verified           boolean,
    full_name                text,
    id                       uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    invitation_expires       timestamptz,
    invitation_token         text,
    invited_by               uuid,
    is_active                boolean,
    last_login_at            timestamptz,
    notification_preferences jsonb,
    organization_id          uuid NOT NULL REFERENCES public.organizations,
    phone                    text,
    role                     text NOT NULL,
    timezone                 text,
    updated_at               timestamptz,
    wants_org_broadcasts     boolean
);

CREATE TABLE public.patient_organization_affiliations (
    affiliation_type        text,
    consent_expires_on      date,
    consent_on_file         boolean,
    created_at              timestamptz DEFAULT now(),
    end_date                date,
    id                      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    last_practiceq_sync_at  timestamptz,
    notes                   text,
    organization_id         uuid NOT NULL REFERENCES public.organizations,
    patient_id              uuid NOT NULL REFERENCES public.patients,
    primary_contact_user_id uuid,
    roi_file_url            text,
    roi_storage_location    text,
    start_date              date NOT NULL DEFAULT CURRENT_DATE,
    status                  text DEFAULT 'active' CHECK (status IN ('active', 'inactive', 'transferred')),
    updated_at              timestamptz
);

CREATE TABLE public.service_instances (
    id   uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL
);

-- Which service of an outside system is which instance.
CREATE TABLE public.service_instance_mappings (
    service_id          text NOT NULL,
    system              text NOT NULL,
    service_instance_id uuid NOT NULL REFERENCES public.service_instances,
    PRIMARY KEY (service_id, system)
);

CREATE TABLE public.appointments (
    appointment_type                text CHECK (appointment_type = 'telehealth'),
    athena_appointment_id           text,
    billing_context_snapshot        jsonb,
    booking_source                  text,
    cancellation_reason             text,
    created_at                      timestamptz DEFAULT now(),
    end_time                        timestamptz NOT NULL,
    id                              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    insurance_info                  jsonb NOT NULL,
    insurance_policy_id             uuid,
    is_test                         boolean,
    location_info                   jsonb,
    location_type                   text,
    meeting_url                     text,
    member_snapshot                 jsonb,
    notes                           text,
    patient_id                      uuid REFERENCES public.patients,
    patient_info                    jsonb NOT NULL,
    payer_id                        uuid,
    payer_snapshot                  jsonb,
    pq_appointment_id               text,
    practiceq_generated_google_meet text,
    provider_id                     uuid NOT NULL REFERENCES public.providers,
    rendering_provider_id           uuid REFERENCES public.providers,
    roi_contacts                    jsonb,
    service_instance_id             uuid NOT NULL REFERENCES public.service_instances,
    start_time                      timestamptz NOT NULL,
    status                          text DEFAULT 'scheduled'
                                    CHECK (status IN ('scheduled', 'confirmed', 'completed', 'cancelled', 'no_show')),
    telehealth_join_url             text,
    timezone                        text,
    updated_at                      timestamptz
);

CREATE TABLE public.sync_logs (
    appointments_errors    integer,
    appointments_new       integer,
    appointments_unchanged integer,
    appointments_updated   integer,
    completed_at           timestamptz,
    created_at             timestamptz NOT NULL DEFAULT now(),
    duration_ms            integer,
    error_message          text,
    error_stack            text,
    id                     uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    metadata               jsonb,
    organization_id        uuid,
    patient_id             uuid,
    patients_failed        integer,
    patients_processed     integer,
    started_at             timestamptz NOT NULL,
    status                 text NOT NULL,
    sync_type              text NOT NULL
                           CHECK (sync_type IN ('manual_patient', 'manual_org_bulk', 'automated_daily', 'webhook')),
    triggered_by_user_id   uuid
);

-- A user of the application sees the patients of the own organization only.
ALTER TABLE public.patients ENABLE ROW LEVEL SECURITY;
CREATE POLICY patients_of_the_organization ON public.patients FOR SELECT TO authenticated
    USING (id IN (SELECT l.patient_id FROM public.patient_organization_affiliations l
                  JOIN public.partner_users u ON u.organization_id = l.organization_id
                  WHERE u.auth_user_id::text = current_setting('request.jwt.claim.sub', true)));

CREATE FUNCTION public.touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END $$;
CREATE TRIGGER touch BEFORE UPDATE ON public.appointments
    FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();
CREATE TRIGGER touch BEFORE UPDATE ON public.patients
    FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();
CREATE TRIGGER touch BEFORE UPDATE ON public.patient_organization_affiliations
    FOR EACH ROW EXECUTE FUNCTION public.touch_updated_at();

-- A help desk: tables and columns as a real help desk made with Prisma has them. Written for the tests of
-- adopt/helpdesk-prisma.sql. Keys are text that the application's client makes, as it writes every "updatedAt": neither
-- has a default. Instants are of type timestamp(3) and in UTC. Names are camelCase, so they need quotes.

SET search_path = public;

CREATE TYPE "TicketStatus" AS ENUM ('OPEN', 'IN_PROGRESS', 'WAITING_FOR_CUSTOMER', 'RESOLVED', 'CLOSED');
CREATE TYPE "TicketPriority" AS ENUM ('LOW', 'MEDIUM', 'HIGH', 'URGENT');
CREATE TYPE "NotificationType" AS ENUM ('TICKET_CREATED', 'TICKET_ASSIGNED', 'TICKET_STATUS_CHANGED', 'TICKET_COMMENT',
                                        'TICKET_RESOLVED', 'SLA_BREACH', 'ESCALATION');

CREATE TABLE "roles" (
    "id"          TEXT NOT NULL,
    "name"        TEXT NOT NULL,
    "description" TEXT,
    "permissions" JSONB,
    "createdAt"   TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"   TIMESTAMP(3) NOT NULL,
    CONSTRAINT "roles_pkey" PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "roles_name_key" ON "roles" ("name");

CREATE TABLE "teams" (
    "id"          TEXT NOT NULL,
    "name"        TEXT NOT NULL,
    "email"       TEXT,
    "description" TEXT,
    "createdAt"   TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"   TIMESTAMP(3) NOT NULL,
    CONSTRAINT "teams_pkey" PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "teams_name_key" ON "teams" ("name");
CREATE UNIQUE INDEX "teams_email_key" ON "teams" ("email");

CREATE TABLE "users" (
    "id"        TEXT NOT NULL,
    "email"     TEXT NOT NULL,
    "name"      TEXT,
    "password"  TEXT NOT NULL,
    "roleId"    TEXT,
    "teamId"    TEXT,
    "isActive"  BOOLEAN NOT NULL DEFAULT true,
    "isDeleted" BOOLEAN NOT NULL DEFAULT false,
    "deletedAt" TIMESTAMP(3),
    "deletedBy" TEXT,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMP(3) NOT NULL,
    CONSTRAINT "users_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "users_roleId_fkey" FOREIGN KEY ("roleId") REFERENCES "roles" ("id")
        ON DELETE SET NULL ON UPDATE CASCADE,
    CONSTRAINT "users_teamId_fkey" FOREIGN KEY ("teamId") REFERENCES "teams" ("id")
        ON DELETE SET NULL ON UPDATE CASCADE
);
CREATE UNIQUE INDEX "users_email_key" ON "users" ("email");

CREATE TABLE "team_leaders" (
    "id"         TEXT NOT NULL,
    "userId"     TEXT NOT NULL,
    "teamId"     TEXT NOT NULL,
    "assignedAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "createdAt"  TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"  TIMESTAMP(3) NOT NULL,
    CONSTRAINT "team_leaders_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "team_leaders_userId_fkey" FOREIGN KEY ("userId") REFERENCES "users" ("id")
        ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "team_leaders_teamId_fkey" FOREIGN KEY ("teamId") REFERENCES "teams" ("id")
        ON DELETE RESTRICT ON UPDATE CASCADE
);
CREATE UNIQUE INDEX "team_leaders_teamId_key" ON "team_leaders" ("teamId");
CREATE UNIQUE INDEX "team_leaders_userId_teamId_key" ON "team_leaders" ("userId", "teamId");

CREATE TABLE "tickets" (
    "id"             TEXT NOT NULL,
    "ticketNumber"   SERIAL NOT NULL,
    "title"          TEXT NOT NULL,
    "description"    TEXT NOT NULL,
    "phone"          TEXT,
    "status"         "TicketStatus" NOT NULL DEFAULT 'OPEN',
    "priority"       "TicketPriority" NOT NULL DEFAULT 'MEDIUM',
    "category"       TEXT,
    "customerId"     TEXT,
    "assignedTo"     TEXT NOT NULL,
    "teamId"         TEXT,
    "createdBy"      TEXT NOT NULL,
    "slaDueAt"       TIMESTAMP(3),
    "customSlaDueAt" TIMESTAMP(3),
    "resolvedAt"     TIMESTAMP(3),
    "closedAt"       TIMESTAMP(3),
    "createdAt"      TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"      TIMESTAMP(3) NOT NULL,
    CONSTRAINT "tickets_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "tickets_customerId_fkey" FOREIGN KEY ("customerId") REFERENCES "users" ("id")
        ON DELETE SET NULL ON UPDATE CASCADE,
    CONSTRAINT "tickets_assignedTo_fkey" FOREIGN KEY ("assignedTo") REFERENCES "users" ("id")
        ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "tickets_teamId_fkey" FOREIGN KEY ("teamId") REFERENCES "teams" ("id")
        ON DELETE SET NULL ON UPDATE CASCADE,
    CONSTRAINT "tickets_createdBy_fkey" FOREIGN KEY ("createdBy") REFERENCES "users" ("id")
        ON DELETE RESTRICT ON UPDATE CASCADE
);
CREATE UNIQUE INDEX "tickets_ticketNumber_key" ON "tickets" ("ticketNumber");

CREATE TABLE "comments" (
    "id"         TEXT NOT NULL,
    "content"    TEXT NOT NULL,
    "ticketId"   TEXT NOT NULL,
    "authorId"   TEXT NOT NULL,
    "isInternal" BOOLEAN NOT NULL DEFAULT false,
    "createdAt"  TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"  TIMESTAMP(3) NOT NULL,
    CONSTRAINT "comments_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "comments_ticketId_fkey" FOREIGN KEY ("ticketId") REFERENCES "tickets" ("id")
        ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "comments_authorId_fkey" FOREIGN KEY ("authorId") REFERENCES "users" ("id")
        ON DELETE RESTRICT ON UPDATE CASCADE
);

CREATE TABLE "ticket_followers" (
    "id"        TEXT NOT NULL,
    "ticketId"  TEXT NOT NULL,
    "userId"    TEXT NOT NULL,
    "addedBy"   TEXT,
    "addedAt"   TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMP(3) NOT NULL,
    CONSTRAINT "ticket_followers_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "ticket_followers_ticketId_fkey" FOREIGN KEY ("ticketId") REFERENCES "tickets" ("id")
        ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "ticket_followers_userId_fkey" FOREIGN KEY ("userId") REFERENCES "users" ("id")
        ON DELETE RESTRICT ON UPDATE CASCADE
);
CREATE UNIQUE INDEX "ticket_followers_ticketId_userId_key" ON "ticket_followers" ("ticketId", "userId");

CREATE TABLE "ticket_history" (
    "id"        TEXT NOT NULL,
    "ticketId"  TEXT NOT NULL,
    "userId"    TEXT NOT NULL,
    "action"    TEXT NOT NULL,
    "fieldName" TEXT,
    "oldValue"  TEXT,
    "newValue"  TEXT,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "ticket_history_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "ticket_history_ticketId_fkey" FOREIGN KEY ("ticketId") REFERENCES "tickets" ("id")
        ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "ticket_history_userId_fkey" FOREIGN KEY ("userId") REFERENCES "users" ("id")
        ON DELETE RESTRICT ON UPDATE CASCADE
);

CREATE TABLE "sla_policies" (
    "id"                  TEXT NOT NULL,
    "name"                TEXT NOT NULL,
    "description"         TEXT,
    "priority"            "TicketPriority" NOT NULL,
    "responseTimeHours"   INTEGER NOT NULL,
    "resolutionTimeHours" INTEGER NOT NULL,
    "isActive"            BOOLEAN NOT NULL DEFAULT true,
    "createdAt"           TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"           TIMESTAMP(3) NOT NULL,
    CONSTRAINT "sla_policies_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "escalation_rules" (
    "id"             TEXT NOT NULL,
    "name"           TEXT NOT NULL,
    "description"    TEXT,
    "conditionType"  TEXT NOT NULL,
    "conditionValue" JSONB NOT NULL,
    "actionType"     TEXT NOT NULL,
    "actionConfig"   JSONB NOT NULL,
    "isActive"       BOOLEAN NOT NULL DEFAULT true,
    "createdAt"      TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"      TIMESTAMP(3) NOT NULL,
    CONSTRAINT "escalation_rules_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "ticket_feedback" (
    "id"         TEXT NOT NULL,
    "ticketId"   TEXT NOT NULL,
    "customerId" TEXT NOT NULL,
    "rating"     INTEGER NOT NULL,
    "comment"    TEXT,
    "createdAt"  TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"  TIMESTAMP(3) NOT NULL,
    CONSTRAINT "ticket_feedback_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "ticket_feedback_ticketId_fkey" FOREIGN KEY ("ticketId") REFERENCES "tickets" ("id")
        ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "ticket_feedback_customerId_fkey" FOREIGN KEY ("customerId") REFERENCES "users" ("id")
        ON DELETE RESTRICT ON UPDATE CASCADE
);
CREATE UNIQUE INDEX "ticket_feedback_ticketId_key" ON "ticket_feedback" ("ticketId");

CREATE TABLE "notifications" (
    "id"        TEXT NOT NULL,
    "userId"    TEXT NOT NULL,
    "type"      "NotificationType" NOT NULL,
    "title"     TEXT NOT NULL,
    "message"   TEXT NOT NULL,
    "ticketId"  TEXT,
    "isRead"    BOOLEAN NOT NULL DEFAULT false,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" TIMESTAMP(3) NOT NULL,
    CONSTRAINT "notifications_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "notifications_userId_fkey" FOREIGN KEY ("userId") REFERENCES "users" ("id")
        ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "notifications_ticketId_fkey" FOREIGN KEY ("ticketId") REFERENCES "tickets" ("id")
        ON DELETE SET NULL ON UPDATE CASCADE
);

CREATE TABLE "notification_preferences" (
    "id"                   TEXT NOT NULL,
    "userId"               TEXT NOT NULL,
    "emailEnabled"         BOOLEAN NOT NULL DEFAULT true,
    "inAppEnabled"         BOOLEAN NOT NULL DEFAULT true,
    "notifyOnCreation"     BOOLEAN NOT NULL DEFAULT true,
    "notifyOnAssignment"   BOOLEAN NOT NULL DEFAULT true,
    "notifyOnStatusChange" BOOLEAN NOT NULL DEFAULT true,
    "notifyOnComment"      BOOLEAN NOT NULL DEFAULT true,
    "notifyOnResolution"   BOOLEAN NOT NULL DEFAULT true,
    "notifyOnSLABreach"    BOOLEAN NOT NULL DEFAULT true,
    "createdAt"            TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"            TIMESTAMP(3) NOT NULL,
    CONSTRAINT "notification_preferences_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "notification_preferences_userId_fkey" FOREIGN KEY ("userId") REFERENCES "users" ("id")
        ON DELETE RESTRICT ON UPDATE CASCADE
);
CREATE UNIQUE INDEX "notification_preferences_userId_key" ON "notification_preferences" ("userId");

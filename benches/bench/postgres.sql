-- The steps of a debit, on PostgreSQL, as one would write them there: the answer of a key that is used again, the
-- wallet locked, limits against counters, grants in burn order, a chained entry for each, the debit, the counters of
-- site and assistant, the line the customer reads, the stored answer. All in one function: one round trip.

CREATE TABLE account (
    site text PRIMARY KEY, frozen boolean NOT NULL DEFAULT false, entry_seq bigint NOT NULL DEFAULT 0,
    entry_hash bytea NOT NULL DEFAULT '\x00'
);
CREATE TABLE slice (
    site text NOT NULL, grant_seq bigint NOT NULL, priority int NOT NULL, expires_at bigint,
    effective_at bigint NOT NULL, remaining bigint NOT NULL CHECK (remaining >= 0), PRIMARY KEY (site, grant_seq)
) WITH (fillfactor = 70);
CREATE TABLE entry (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, site text NOT NULL, seq bigint NOT NULL, operation uuid NOT NULL,
    grant_seq bigint NOT NULL, amount bigint NOT NULL CHECK (amount > 0), booked_at bigint NOT NULL, hash bytea NOT NULL,
    UNIQUE (site, seq)
);
CREATE TABLE debit (
    id uuid PRIMARY KEY, site text NOT NULL, agent text, action text, label text NOT NULL, credits bigint NOT NULL,
    booked_at bigint NOT NULL, first_entry bigint NOT NULL, entries int NOT NULL
);
CREATE INDEX debit_site ON debit (site, booked_at);
CREATE TABLE spending_limit (site text NOT NULL, per text NOT NULL, credits bigint NOT NULL, PRIMARY KEY (site, per));
CREATE TABLE spending (
    site text NOT NULL, agent text NOT NULL, per text NOT NULL, period_start bigint NOT NULL, captured bigint NOT NULL,
    PRIMARY KEY (site, agent, per, period_start)
) WITH (fillfactor = 70);
CREATE TABLE activity (
    site text NOT NULL, hour bigint NOT NULL, label text NOT NULL, at bigint NOT NULL, credits bigint NOT NULL,
    PRIMARY KEY (site, hour, label)
) WITH (fillfactor = 70);
CREATE TABLE idempotency (
    key text PRIMARY KEY, digest bytea NOT NULL, status int NOT NULL, body text NOT NULL, created_at bigint NOT NULL
);
CREATE INDEX idempotency_age ON idempotency (created_at);

CREATE FUNCTION start_of(a_period text, a_time timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$ SELECT (extract(epoch FROM date_trunc(a_period, a_time AT TIME ZONE 'UTC')) * 1000)::bigint $$;

CREATE FUNCTION debit(a_key text, a_site text, a_agent text, a_amount bigint, a_label text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    stored idempotency%ROWTYPE;
    wallet account%ROWTYPE;
    part record;
    a_digest bytea := sha256(convert_to(a_site || '|' || a_agent || '|' || a_amount || '|' || a_label, 'UTF8'));
    at bigint := (extract(epoch FROM now()) * 1000)::bigint;
    of_day bigint := start_of('day', now());
    of_month bigint := start_of('month', now());
    of_hour bigint := start_of('hour', now());
    an_id uuid := gen_random_uuid();
    first bigint;
    left_over bigint := a_amount;
    available bigint := 0;
    taken bigint;
    slices text := '';
    answer text;
BEGIN
    SELECT * INTO stored FROM idempotency WHERE key = a_key;
    IF FOUND THEN
        IF stored.digest <> a_digest THEN RAISE EXCEPTION 'idempotency_mismatch'; END IF;
        RETURN stored.body;
    END IF;
    SELECT * INTO wallet FROM account WHERE site = a_site FOR UPDATE;
    IF NOT FOUND THEN RAISE EXCEPTION 'not_found'; END IF;
    IF wallet.frozen THEN RAISE EXCEPTION 'frozen'; END IF;
    IF EXISTS (
        SELECT 1 FROM spending_limit l
        LEFT JOIN spending s ON s.site = l.site AND s.agent = '' AND s.per = l.per
            AND s.period_start = CASE l.per WHEN 'day' THEN of_day ELSE of_month END
        WHERE l.site = a_site AND coalesce(s.captured, 0) + a_amount > l.credits
    ) THEN RAISE EXCEPTION 'limit_reached'; END IF;
    first := wallet.entry_seq + 1;
    FOR part IN
        SELECT grant_seq, remaining FROM slice
        WHERE site = a_site AND remaining > 0 AND effective_at <= at AND (expires_at IS NULL OR expires_at > at)
        ORDER BY priority, expires_at NULLS LAST, effective_at, grant_seq
    LOOP
        available := available + part.remaining;
        IF left_over > 0 THEN
            taken := least(left_over, part.remaining);
            left_over := left_over - taken;
            wallet.entry_seq := wallet.entry_seq + 1;
            wallet.entry_hash := sha256(wallet.entry_hash || convert_to(
                a_site || '|' || wallet.entry_seq || '|' || an_id || '|' || part.grant_seq || '|' || taken || '|' || at, 'UTF8'));
            UPDATE slice SET remaining = remaining - taken WHERE site = a_site AND grant_seq = part.grant_seq;
            INSERT INTO entry (site, seq, operation, grant_seq, amount, booked_at, hash)
                VALUES (a_site, wallet.entry_seq, an_id, part.grant_seq, taken, at, wallet.entry_hash);
            slices := slices || '{"grant":' || part.grant_seq || ',"credits":' || taken || '}';
        END IF;
    END LOOP;
    IF left_over > 0 THEN RAISE EXCEPTION 'insufficient_credits'; END IF;
    UPDATE account SET entry_seq = wallet.entry_seq, entry_hash = wallet.entry_hash WHERE site = a_site;
    INSERT INTO debit VALUES (an_id, a_site, a_agent, 'chat', a_label, a_amount, at, first, (wallet.entry_seq - first + 1)::int);
    INSERT INTO spending VALUES (a_site, '', 'day', of_day, a_amount), (a_site, '', 'month', of_month, a_amount),
        (a_site, a_agent, 'day', of_day, a_amount), (a_site, a_agent, 'month', of_month, a_amount),
        (a_site, '', 'hour', of_hour, a_amount)
        ON CONFLICT (site, agent, per, period_start) DO UPDATE SET captured = spending.captured + excluded.captured;
    INSERT INTO activity VALUES (a_site, of_hour, a_label, at, a_amount)
        ON CONFLICT (site, hour, label) DO UPDATE SET credits = activity.credits + excluded.credits, at = excluded.at;
    answer := '{"id":"' || an_id || '","credits":' || a_amount || ',"available":' || (available - a_amount)
        || ',"slices":[' || slices || ']}';
    INSERT INTO idempotency VALUES (a_key, a_digest, 201, answer, at);
    RETURN answer;
END $$;

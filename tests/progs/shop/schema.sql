CREATE TABLE accounts (id integer PRIMARY KEY, cents bigint NOT NULL);
CREATE TABLE payments (id bigserial PRIMARY KEY, order_id text NOT NULL UNIQUE, account integer NOT NULL, cents bigint NOT NULL);
INSERT INTO accounts SELECT n, 1000000 FROM generate_series(1, 100000) n;
INSERT INTO payments (order_id, account, cents) SELECT 'o-' || lpad(n::text, 6, '0'), n, 0 FROM generate_series(10, 100000, 10) n;

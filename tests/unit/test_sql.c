/* SPDX-License-Identifier: Apache-2.0 */
/* test_sql.c - what is shown of a statement, and what is never shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "decode/sql.h"
#include "guard.h"

struct row {
	const char *in, *text, *summary, *operation, *collection;
};

static void check(const struct row *r)
{
	struct sql q;
	char got[SQL_TEXT_MAX + 1];

	sql__read(&q, slice__of(r->in), false);
	snprintf(got, sizeof(got), "%.*s", q.text_n, q.text);
	assert_string_equal(got, r->text);
	snprintf(got, sizeof(got), "%.*s", q.summary_n, q.summary);
	if (strcmp(got, r->summary) != 0)
		print_error("summary of: %s\n", r->in);
	assert_string_equal(got, r->summary);
	snprintf(got, sizeof(got), "%.*s", q.operation_n, q.operation);
	assert_string_equal(got, r->operation);
	snprintf(got, sizeof(got), "%.*s", q.collection_n, q.collection);
	assert_string_equal(got, r->collection);
}

#define CHECK_ALL(rows)                                                                                               \
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)                                                    \
		check(&rows[i])

/* The examples of the semantic conventions. */
static void conventions(void **state)
{
	static const struct row rows[] = {
		{"SELECT *\nFROM   wuser_table\nWHERE  username = 'bob'", "SELECT * FROM wuser_table WHERE username = ?",
		 "SELECT wuser_table", "SELECT", "wuser_table"},
		{"INSERT INTO shipping_details (order_id, address) SELECT order_id, address FROM orders WHERE order_id = 7",
		 "INSERT INTO shipping_details (order_id, address) SELECT order_id, address FROM orders WHERE order_id = ?",
		 "INSERT shipping_details SELECT orders", "INSERT", ""},
		{"SELECT * FROM songs, artists WHERE songs.artist_id == artists.id",
		 "SELECT * FROM songs, artists WHERE songs.artist_id == artists.id", "SELECT songs artists", "SELECT", ""},
		{"SELECT order_date FROM (SELECT * FROM orders o JOIN customers c ON o.customer_id = c.customer_id)",
		 "SELECT order_date FROM (SELECT * FROM orders o JOIN customers c ON o.customer_id = c.customer_id)",
		 "SELECT SELECT orders customers", "SELECT", ""},
		{"SELECT * FROM \"song list\"", "SELECT * FROM \"song list\"", "SELECT \"song list\"", "SELECT",
		 "\"song list\""},
	};
	CHECK_ALL(rows);
}

static void literals(void **state)
{
	static const struct row rows[] = {
		{"select 1, -2.5e-3, .5, 0x1F, 1_000 from t1", "select ?, ?, ?, ?, ? from t1", "SELECT t1", "SELECT", "t1"},
		{"UPDATE t SET a = a + -1, b = b -1, c = (-1), d = c(x)-1, e = - 1", "UPDATE t SET a = a + ?, b = b -?, c = (?), d = c(x)-?, e = - ?",
		 "UPDATE t", "UPDATE", "t"},
		{"SELECT 'it''s', E'a\\'b', B'01', X'ff', U&'\\0041', N'x'", "SELECT ?, ?, ?, ?, ?, ?", "SELECT", "SELECT", ""},
		{"SELECT 'C:\\', a FROM t", "SELECT ?, a FROM t", "SELECT t", "SELECT", "t"},
		{"SELECT $$it's$$, $x$a $$ b$x$, $1, $23::text", "SELECT ?, ?, $1, $23::text", "SELECT", "SELECT", ""},
		{"SELECT TRUE, false, NULL, date '2024-01-01', 'x'::text", "SELECT ?, ?, NULL, date ?, ?::text", "SELECT",
		 "SELECT", ""},
		{"ALTER ROLE bob PASSWORD 'secret'", "ALTER ROLE bob PASSWORD ?", "ALTER ROLE bob", "ALTER ROLE", ""},
		{"SET app.token = 'secret'", "SET app.token = ?", "SET", "SET", ""},
		{"SELECT a$1, _b2, caf\xc3\xa9 FROM t", "SELECT a$1, _b2, caf\xc3\xa9 FROM t", "SELECT t", "SELECT", "t"},
		{"SELECT a FROM t LIMIT 10 OFFSET 20", "SELECT a FROM t LIMIT ? OFFSET ?", "SELECT t", "SELECT", "t"},
	};
	CHECK_ALL(rows);
}

static void comments(void **state)
{
	static const struct row rows[] = {
		{"/* trace='secret' */ SELECT 1 -- secret\n+ 2", "SELECT ? + ?", "SELECT", "SELECT", ""},
		{"SELECT/* a /* nested */ b */x FROM/**/t--end", "SELECT x FROM t", "SELECT t", "SELECT", "t"},
		{"/* not closed SELECT 1", "", "", "", ""},
		{"SELECT '/* no comment */', \"--no\" FROM t", "SELECT ?, \"--no\" FROM t", "SELECT t", "SELECT", "t"},
		{"SELECT $q$ -- $q$ FROM t", "SELECT ? FROM t", "SELECT t", "SELECT", "t"},
	};
	CHECK_ALL(rows);
}

static void truncated(void **state)
{
	static const struct row rows[] = {
		{"", "", "", "", ""},
		{"   ", "", "", "", ""},
		{"SELECT 'not clos", "SELECT ?", "SELECT", "SELECT", ""},
		{"SELECT E'x\\", "SELECT ?", "SELECT", "SELECT", ""},
		{"SELECT $tag", "SELECT ?", "SELECT", "SELECT", ""},
		{"SELECT $tag$ secret $ta", "SELECT ?", "SELECT", "SELECT", ""},
		{"SELECT \"not clos", "SELECT \"not clos", "SELECT", "SELECT", ""},
		{"SELECT a FROM", "SELECT a FROM", "SELECT", "SELECT", ""},
		{")))) SELECT a FROM t", ")))) SELECT a FROM t", "SELECT t", "SELECT", "t"},
		{"\x01\xff'", "\x01\xff?", "", "", ""},
	};
	CHECK_ALL(rows);
}

static void modifications(void **state)
{
	static const struct row rows[] = {
		{"INSERT INTO payments AS o_12 (order_id, cents) VALUES ($1, $2)",
		 "INSERT INTO payments AS o_12 (order_id, cents) VALUES ($1, $2)", "INSERT payments", "INSERT", "payments"},
		{"insert into s.t(a) values ('x') on conflict (a) do update set a = 1 returning id",
		 "insert into s.t(a) values (?) on conflict (a) do update set a = ? returning id", "INSERT s.t", "INSERT", "s.t"},
		{"UPDATE accounts AS o_1 SET cents = cents - $1 WHERE id = $2",
		 "UPDATE accounts AS o_1 SET cents = cents - $1 WHERE id = $2", "UPDATE accounts", "UPDATE", "accounts"},
		{"UPDATE ONLY a SET x = 1 FROM b WHERE a.id = b.id", "UPDATE ONLY a SET x = ? FROM b WHERE a.id = b.id",
		 "UPDATE a b", "UPDATE", ""},
		{"DELETE FROM a USING b, c WHERE a.x = b.x", "DELETE FROM a USING b, c WHERE a.x = b.x", "DELETE a b c",
		 "DELETE", ""},
		{"MERGE INTO a USING b ON a.i = b.i WHEN MATCHED THEN UPDATE SET x = 1 WHEN NOT MATCHED THEN INSERT VALUES (1)",
		 "MERGE INTO a USING b ON a.i = b.i WHEN MATCHED THEN UPDATE SET x = ? WHEN NOT MATCHED THEN INSERT VALUES (?)",
		 "MERGE a b", "MERGE", ""},
		{"TRUNCATE TABLE a, b CASCADE", "TRUNCATE TABLE a, b CASCADE", "TRUNCATE a b", "TRUNCATE", ""},
		{"SELECT a FROM t WHERE (x) FOR UPDATE", "SELECT a FROM t WHERE (x) FOR UPDATE", "SELECT t", "SELECT", "t"},
	};
	CHECK_ALL(rows);
}

static void queries(void **state)
{
	static const struct row rows[] = {
		{"SELECT * FROM orders o JOIN users u USING (id) LEFT JOIN x ON (a, b) = (c, d), LATERAL (SELECT 1) y, z",
		 "SELECT * FROM orders o JOIN users u USING (id) LEFT JOIN x ON (a, b) = (c, d), LATERAL (SELECT ?) y, z",
		 "SELECT orders users x SELECT z", "SELECT", ""},
		{"SELECT count(*) FROM generate_series(1, 10) n", "SELECT count(*) FROM generate_series(?, ?) n", "SELECT",
		 "SELECT", ""},
		{"SELECT extract(year FROM ts), substring(a FROM 1) FROM t WHERE a IS DISTINCT FROM b",
		 "SELECT extract(year FROM ts), substring(a FROM ?) FROM t WHERE a IS DISTINCT FROM b", "SELECT t", "SELECT", "t"},
		{"SELECT 1 FROM a WHERE id IN (SELECT id FROM b) UNION SELECT 2 FROM c",
		 "SELECT ? FROM a WHERE id IN (SELECT id FROM b) UNION SELECT ? FROM c", "SELECT a SELECT b SELECT c", "SELECT", ""},
		{"WITH RECURSIVE x AS (SELECT 1 FROM a), y (n) AS (SELECT 2) INSERT INTO t SELECT * FROM x, y",
		 "WITH RECURSIVE x AS (SELECT ? FROM a), y (n) AS (SELECT ?) INSERT INTO t SELECT * FROM x, y",
		 "SELECT a SELECT INSERT t SELECT", "INSERT", ""},
		{"SELECT * FROM (a JOIN b ON a.i = b.i)", "SELECT * FROM (a JOIN b ON a.i = b.i)", "SELECT a b", "SELECT", ""},
		{"SELECT * FROM \"S\".\"T\" WHERE \"S\".\"x\" = 1", "SELECT * FROM \"S\".\"T\" WHERE \"S\".\"x\" = ?",
		 "SELECT \"S\".\"T\"", "SELECT", "\"S\".\"T\""},
		{"SELECT * FROM t a, t b", "SELECT * FROM t a, t b", "SELECT t t", "SELECT", "t"},
		{"VALUES (1), (2)", "VALUES (?), (?)", "VALUES", "VALUES", ""},
		{"TABLE t", "TABLE t", "TABLE t", "TABLE", "t"},
	};
	CHECK_ALL(rows);
}

static void utilities(void **state)
{
	static const struct row rows[] = {
		{"BEGIN", "BEGIN", "BEGIN", "BEGIN", ""},
		{"start transaction isolation level serializable", "start transaction isolation level serializable", "START",
		 "START", ""},
		{"CREATE TABLE IF NOT EXISTS t (id int, update_at int)", "CREATE TABLE IF NOT EXISTS t (id int, update_at int)",
		 "CREATE TABLE t", "CREATE TABLE", "t"},
		{"CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)", "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)", "CREATE INDEX i",
		 "CREATE INDEX", ""},
		{"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT * FROM t", "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT * FROM t",
		 "CREATE MATERIALIZED VIEW v SELECT t", "CREATE MATERIALIZED VIEW", ""},
		{"DROP TABLE IF EXISTS a, b", "DROP TABLE IF EXISTS a, b", "DROP TABLE a b", "DROP TABLE", ""},
		{"EXPLAIN ANALYZE DELETE FROM t", "EXPLAIN ANALYZE DELETE FROM t", "EXPLAIN DELETE t", "EXPLAIN", "t"},
		{"PREPARE p (int) AS UPDATE t SET a = $1", "PREPARE p (int) AS UPDATE t SET a = $1", "PREPARE p UPDATE t", "PREPARE", "t"},
		{"GRANT SELECT, INSERT ON t TO bob", "GRANT SELECT, INSERT ON t TO bob", "GRANT", "GRANT", ""},
		{"COPY t (a, b) FROM STDIN WITH (FORMAT csv)", "COPY t (a, b) FROM STDIN WITH (FORMAT csv)", "COPY t", "COPY", "t"},
		{"COPY (SELECT a FROM t) TO STDOUT", "COPY (SELECT a FROM t) TO STDOUT", "COPY SELECT t", "COPY", "t"},
		{"CALL s.proc(1, 'x')", "CALL s.proc(?, ?)", "CALL s.proc", "CALL", ""},
		{"SELECT 1; INSERT INTO t VALUES (2);", "SELECT ?; INSERT INTO t VALUES (?);", "SELECT INSERT t", "", "t"},
		{"VACUUM FULL VERBOSE t", "VACUUM FULL VERBOSE t", "VACUUM t", "VACUUM", "t"},
		{"VACUUM ANALYZE t", "VACUUM ANALYZE t", "VACUUM t", "VACUUM", "t"},
		{"FROBNICATE t", "FROBNICATE t", "", "", ""},
		{"SHOW server_version", "SHOW server_version", "SHOW", "SHOW", ""},
	};
	CHECK_ALL(rows);
}

static void flags(void **state)
{
	static const struct { const char *in; unsigned flags; } rows[] = {
		{"BEGIN", SQL_TRANSACTION}, {"commit;", SQL_TRANSACTION}, {"BEGIN; SELECT 1", 0}, {"SELECT 1", 0},
		{"COPY t FROM STDIN", SQL_COPY_IN}, {"COPY t TO STDOUT", 0}, {"COPY t FROM 'file'", 0}, {"", 0},
		{"SELECT a FROM stdin", 0},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sql q;
		sql__read(&q, slice__of(rows[i].in), false);
		assert_int_equal(q.flags, rows[i].flags);
	}
}

/* standard_conforming_strings = off: what follows \' is still inside the string. */
static void backslashes(void **state)
{
	struct sql q;
	char got[64];

	sql__read(&q, SLICE("SELECT 'a\\' secret', b FROM t"), true);
	snprintf(got, sizeof(got), "%.*s", q.text_n, q.text);
	assert_string_equal(got, "SELECT ?, b FROM t");
}

static void bounds(void **state)
{
	static char in[3 * SQL_INPUT_MAX];
	struct sql q;
	size_t n = 0;

	n += (size_t)sprintf(in, "SELECT a FROM ");
	while (n < sizeof(in) - 64)
		n += (size_t)sprintf(in + n, "table_%zu, ", n);
	sql__read(&q, (struct slice){in, n}, false);
	assert_int_equal(q.flags, SQL_CUT);
	assert_int_equal(q.text_n, SQL_TEXT_MAX);
	assert_true(q.summary_n <= SQL_SUMMARY_MAX && q.summary_n > 200);
	/* Whole words only. */
	char last[32];
	const char *space = memrchr(q.summary, ' ', q.summary_n);
	snprintf(last, sizeof(last), "%.*s,", (int)(q.summary + q.summary_n - space - 1), space + 1);
	assert_non_null(strstr(in, last));
	memset(in, '(', sizeof(in));
	sql__read(&q, (struct slice){in, sizeof(in)}, false);
	assert_int_equal(q.flags, SQL_CUT);
}

/* Every prefix, flush against an unmapped page; the word never shows. */
static void prefixes(void **state)
{
	static const char all[] = "SELECT 'secret', E'\\'secret', $a$secret$a$, U&'secret' /* secret /* secret */ */ "
				  "FROM \"q\".t JOIN /*secret*/ u USING (x), f(1.5e-3) WHERE a = 0x5EC -- secret\n";
	struct guard g = guard__new(sizeof(all));

	for (size_t n = 0; n < sizeof(all); n++) {
		struct sql q;
		sql__read(&q, guard__put(&g, (struct slice){all, n}), false);
		assert_null(memmem(q.text, q.text_n, "secre", 5));
		sql__begins(guard__put(&g, (struct slice){all, n}));
	}
	guard__free(&g);
}

static void beginnings(void **state)
{
	static const struct { const char *in; int is; } rows[] = {
		{"", 1}, {"SEL", 1}, {"SELECT ", 2}, {"/* c */ (select 1", 2}, {"with x as", 2}, {"HTTP/1.1 200", 0}, {"'x", 0},
		{"hello world", 0},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(sql__begins(slice__of(rows[i].in)), rows[i].is);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conventions), cmocka_unit_test(literals), cmocka_unit_test(comments),
		cmocka_unit_test(truncated), cmocka_unit_test(modifications), cmocka_unit_test(queries),
		cmocka_unit_test(utilities), cmocka_unit_test(flags), cmocka_unit_test(backslashes),
		cmocka_unit_test(bounds), cmocka_unit_test(prefixes), cmocka_unit_test(beginnings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

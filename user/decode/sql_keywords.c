// SPDX-License-Identifier: Apache-2.0
#include "decode/sql_keywords.h"

#define KW(text, f) {text, sizeof(text) - 1, W_OTHER, f}
#define KW_ID(text, i, f) {text, sizeof(text) - 1, i, f}
#define LETTER(c) [(c) - 'A']

static const struct keyword keywords[26][12] = {
	LETTER('A') = {KW("AS", K_PREFIX), KW("ALTER", K_OP | K_MAKES), KW("ANALYZE", K_OP | K_NAME | K_LIST | K_PREFIX | K_SKIP),
		       KW("ABORT", K_OP | K_TRANSACTION)},
	LETTER('B') = {KW("BEGIN", K_OP | K_TRANSACTION)},
	LETTER('C') = {KW("COMMIT", K_OP | K_TRANSACTION), KW("CREATE", K_OP | K_MAKES),
		       KW_ID("COPY", W_COPY, K_OP | K_NAME), KW("CALL", K_OP | K_NAME | K_OTHER), KW("CLOSE", K_OP | K_OPAQUE),
		       KW("COMMENT", K_OP | K_OPAQUE), KW("CHECKPOINT", K_OP | K_OPAQUE), KW("CLUSTER", K_OP | K_NAME),
		       KW("CONCURRENTLY", K_SKIP)},
	LETTER('D') = {KW("DELETE", K_OP | K_NESTED | K_FROM | K_USING), KW_ID("DISTINCT", W_DISTINCT, 0),
		       KW("DROP", K_OP | K_MAKES | K_LIST), KW("DEALLOCATE", K_OP | K_NAME | K_OTHER), KW("DECLARE", K_OP),
		       KW("DISCARD", K_OP | K_OPAQUE), KW("DO", K_OP | K_OPAQUE), KW("DATABASE", K_OBJECT | K_OTHER),
		       KW("DOMAIN", K_OBJECT | K_OTHER)},
	LETTER('E') = {KW("END", K_OP | K_TRANSACTION), KW("EXECUTE", K_OP | K_NAME | K_OTHER), KW("EXPLAIN", K_OP | K_PREFIX),
		       KW("EXISTS", K_SKIP), KW("EXTENSION", K_OBJECT | K_OTHER), KW("EXCEPT", K_ENDS_FROM)},
	LETTER('F') = {KW_ID("FROM", W_FROM, K_SKIP), KW_ID("FALSE", W_BOOL, 0), KW("FETCH", K_OP | K_OPAQUE | K_ENDS_FROM),
		       KW("FOR", K_ENDS_FROM), KW("FUNCTION", K_OBJECT | K_OTHER), KW("FOREIGN", K_SKIP), KW("FULL", K_SKIP),
		       KW("FREEZE", K_SKIP)},
	LETTER('G') = {KW("GROUP", K_ENDS_FROM), KW("GRANT", K_OP | K_OPAQUE), KW("GLOBAL", K_SKIP)},
	LETTER('H') = {KW("HAVING", K_ENDS_FROM)},
	LETTER('I') = {KW("INSERT", K_OP | K_NESTED | K_INTO), KW_ID("INTO", W_INTO, 0), KW("INTERSECT", K_ENDS_FROM),
		       KW("IF", K_SKIP), KW("INDEX", K_OBJECT | K_OTHER), KW("IMPORT", K_OP | K_OPAQUE)},
	LETTER('J') = {KW_ID("JOIN", W_JOIN, 0)},
	LETTER('L') = {KW("LIMIT", K_ENDS_FROM), KW("LATERAL", K_SKIP), KW("LOCK", K_OP | K_NAME | K_LIST),
		       KW("LISTEN", K_OP | K_NAME | K_OTHER), KW("LOAD", K_OP | K_OPAQUE), KW("LOCAL", K_SKIP)},
	LETTER('M') = {KW("MERGE", K_OP | K_NESTED | K_INTO | K_USING), KW("MOVE", K_OP | K_OPAQUE),
		       KW_ID("MATERIALIZED", W_MATERIALIZED, K_OBJECT)},
	LETTER('N') = {KW("NOT", K_SKIP), KW("NOTIFY", K_OP | K_NAME | K_OTHER)},
	LETTER('O') = {KW("ORDER", K_ENDS_FROM), KW("ONLY", K_SKIP), KW("OFFSET", K_ENDS_FROM), KW("OR", K_SKIP)},
	LETTER('P') = {KW("PREPARE", K_OP | K_NAME | K_SKIP | K_OTHER), KW("POLICY", K_OBJECT | K_OTHER), KW("PROCEDURE", K_OBJECT | K_OTHER),
		       KW("PUBLICATION", K_OBJECT | K_OTHER)},
	LETTER('R') = {KW("RETURNING", K_ENDS_FROM), KW("ROLLBACK", K_OP | K_TRANSACTION),
		       KW("RELEASE", K_OP | K_TRANSACTION), KW("RESET", K_OP | K_OPAQUE), KW("REVOKE", K_OP | K_OPAQUE),
		       KW("REINDEX", K_OP | K_MAKES), KW("REFRESH", K_OP | K_MAKES), KW_ID("RECURSIVE", W_RECURSIVE, K_SKIP),
		       KW("REPLACE", K_SKIP), KW("ROLE", K_OBJECT | K_OTHER), KW("RULE", K_OBJECT | K_OTHER), KW("REASSIGN", K_OP | K_OPAQUE)},
	LETTER('S') = {KW("SELECT", K_OP | K_NESTED | K_ANYWHERE | K_FROM | K_INTO), KW("SET", K_OP | K_OPAQUE | K_ENDS_FROM),
		       KW_ID("STDIN", W_STDIN, 0), KW("SHOW", K_OP | K_OPAQUE), KW("START", K_OP | K_TRANSACTION),
		       KW("SAVEPOINT", K_OP | K_TRANSACTION), KW("SCHEMA", K_OBJECT | K_OTHER), KW("SEQUENCE", K_OBJECT | K_OTHER),
		       KW("SERVER", K_OBJECT | K_OTHER), KW("SUBSCRIPTION", K_OBJECT | K_OTHER), KW("START_REPLICATION", K_OP | K_OPAQUE)},
	LETTER('T') = {KW("TABLE", K_OP | K_NAME | K_OBJECT | K_SKIP), KW_ID("TRUE", W_BOOL, 0),
		       KW("TRUNCATE", K_OP | K_NAME | K_LIST), KW("TEMP", K_SKIP), KW("TEMPORARY", K_SKIP),
		       KW("TYPE", K_OBJECT | K_OTHER), KW("TRIGGER", K_OBJECT | K_OTHER), KW("TABLESPACE", K_OBJECT | K_OTHER)},
	LETTER('U') = {KW("UPDATE", K_OP | K_NESTED | K_NAME | K_FROM), KW_ID("USING", W_USING, 0),
		       KW("UNION", K_ENDS_FROM), KW("UNLISTEN", K_OP | K_NAME | K_OTHER), KW("UNLOGGED", K_SKIP),
		       KW("UNIQUE", K_SKIP), KW("USER", K_OBJECT | K_OTHER)},
	LETTER('V') = {KW("VALUES", K_OP | K_ENDS_FROM), KW("VACUUM", K_OP | K_NAME | K_LIST), KW("VIEW", K_OBJECT),
		       KW("VERBOSE", K_PREFIX | K_SKIP)},
	LETTER('W') = {KW("WHERE", K_ENDS_FROM), KW_ID("WITH", W_WITH, K_ENDS_FROM), KW("WINDOW", K_ENDS_FROM)},
};

const struct keyword no_keyword;

const struct keyword *keyword__of(struct slice s)
{
	unsigned letter = (unsigned)((s.p[0] | 0x20) - 'a');

	if (letter >= 26)
		return &no_keyword;
	for (const struct keyword *k = keywords[letter]; k < keywords[letter] + 12 && k->s; k++)
		if (k->n == s.n && strncasecmp(k->s, s.p, s.n) == 0)
			return k;
	return &no_keyword;
}

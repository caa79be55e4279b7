// SPDX-License-Identifier: Apache-2.0
#include "view/tree.h"

#include <string.h>

#define DEPTH_MAX 32
#define SERVICE_COLUMNS 26
#define OPERATION_COLUMNS 24
#define FIGURES_COLUMNS (10 + 10 + 14) /* and the gaps */
#define BAR_MIN 12
#define NARROW 72 /* where names need the room more than the bar */
#define BAR_NARROW 8
#define WIDTH_MIN 60

/* How a tree is laid out, and the time its bars stand for. */
struct axis {
	uint64_t from, length; /* ns */
	unsigned columns;      /* of a bar */
	unsigned service, operation;
	bool narrow; /* service and operation have less than they would like */
};

/* The bar takes what is left; where too little is, the names give way. */
static struct axis axis__of(unsigned width)
{
	const unsigned names = SERVICE_COLUMNS + OPERATION_COLUMNS;
	struct axis a = {.service = SERVICE_COLUMNS, .operation = OPERATION_COLUMNS};

	if (width < WIDTH_MIN)
		width = WIDTH_MIN;
	if (width >= names + BAR_MIN + FIGURES_COLUMNS) {
		a.columns = width - names - FIGURES_COLUMNS;
		return a;
	}
	a.narrow = true;
	a.columns = width < NARROW ? BAR_NARROW : BAR_MIN;
	a.service = (width - a.columns - FIGURES_COLUMNS) * SERVICE_COLUMNS / names;
	a.operation = width - a.columns - FIGURES_COLUMNS - a.service;
	return a;
}

double ms_of(uint64_t ns)
{
	return (double)ns / 1e6;
}

const char *colour__on(const struct view_options *o, enum colour c)
{
	static const char *const codes[] = {"", "\033[31m", "\033[2m", "\033[1m"};

	return o->colour ? codes[c] : "";
}

const char *colour__off(const struct view_options *o)
{
	return o->colour ? "\033[0m" : "";
}

/* Columns that UTF-8 text takes, all characters being one wide. */
static unsigned columns_of(const char *s)
{
	unsigned n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* Text padded or cut to a number of columns. */
static void print__field(FILE *out, const char *s, unsigned width)
{
	unsigned n = 0;
	const char *p = s;

	for (; *p; p++) {
		if (((unsigned char)*p & 0xc0) == 0x80)
			continue;
		if (n == width - 1 && columns_of(p) > 1)
			break;
		n++;
	}
	fprintf(out, "%.*s", (int)(p - s), s);
	if (*p) {
		fputs("…", out);
		n++;
	}
	fprintf(out, "%*s", (int)(width - n + 1), "");
}

/* Half a column is the unit. */
static void print__bar(FILE *out, const struct axis *a, uint64_t start, uint64_t end)
{
	uint64_t halves = 2ull * a->columns, length = a->length ? a->length : 1;
	uint64_t from = start > a->from ? (start - a->from) * halves / length : 0;
	uint64_t to = end > a->from ? (end - a->from) * halves / length : 0;

	if (from >= halves)
		from = halves - 1;
	if (to > halves)
		to = halves;
	if (to <= from)
		to = from + 1;
	for (uint64_t c = 0; c < a->columns; c++) {
		bool left = 2 * c >= from && 2 * c < to, right = 2 * c + 1 >= from && 2 * c + 1 < to;

		fputs(left && right ? "█" : left ? "▌" : right ? "▐" : " ", out);
	}
}

static void print__error(const struct view_options *o, const struct vspan *row, const char *indent)
{
	const struct vspan *far = vspan__far(row);
	const struct vspan *why = far->error ? far : row;

	if (!row->error && !far->error)
		return;
	fprintf(o->out, "%s%s   %serror %s%s%s%s\n", colour__on(o, COLOUR_NONE), indent, colour__on(o, COLOUR_RED),
		why->code[0] ? why->code : "", why->code[0] && why->message[0] ? " " : "", why->message,
		colour__off(o));
}

/* Of both ends of a call; each names the span that it speaks of. */
static void print__why(const struct view_options *o, const struct vspan *row, const char *indent)
{
	const struct vspan *ends[] = {row, row->server};

	for (int i = 0; i < 2; i++) {
		if (!ends[i] || !ends[i]->why[0])
			continue;
		fprintf(o->out, "%s   %s", indent, colour__on(o, COLOUR_DIM));
		for (int b = 0; b < 8; b++)
			fprintf(o->out, "%02x", ends[i]->span_id[b]);
		fprintf(o->out, " %s: %s%s\n", ends[i]->kind == SPAN_CLIENT ? "call" : "request", ends[i]->why, colour__off(o));
	}
}

static void print__row(const struct view_options *o, const struct axis *a, const struct vspan *row, const char *head,
		       const char *indent)
{
	const struct vspan *far = vspan__far(row);
	bool error = row->error || far->error;
	char who[128];

	snprintf(who, sizeof(who), "%s%s", head, far->service);
	fputs(colour__on(o, error ? COLOUR_RED : COLOUR_NONE), o->out);
	print__field(o->out, who, a->service);
	print__field(o->out, far->operation, a->operation);
	print__bar(o->out, a, row->start_ns, row->end_ns);
	fprintf(o->out, "%s %8.1f %8.1f  %s%s\n", error ? colour__off(o) : "", ms_of(vspan__duration(row)),
		ms_of(row->own_ns), evidence__name(row->evidence), row->incomplete ? " (incomplete)" : "");
	print__error(o, row, indent);
	print__why(o, row, indent);
}

static void print__rows(const struct view_options *o, const struct axis *a, const struct vspan *row, char *indent,
			unsigned depth)
{
	size_t n = strlen(indent);

	for (; row; row = row->sibling) {
		char head[DEPTH_MAX * 4 + 8];

		snprintf(head, sizeof(head), "%s%s", indent, row->sibling ? "├ " : "└ ");
		strcpy(indent + n, row->sibling ? "│ " : "  ");
		print__row(o, a, row, head, indent);
		if (depth + 1 < DEPTH_MAX)
			print__rows(o, a, row->child, indent, depth + 1);
		else if (row->child)
			fprintf(o->out, "%s  (deeper calls are not shown)\n", indent);
		indent[n] = '\0';
	}
}

/* The gravest code below the root, to say what the customer was not told. */
static const char *inner_code(const struct vtrace *t)
{
	for (const struct vspan *v = t->spans; v; v = v->next)
		if (v->error && v->code[0] == '5' && strlen(v->code) == 3)
			return v->code;
	return "an error";
}

static void print__title(const struct view_options *o, const struct vtrace *t, const char *label, const struct axis *a)
{
	const struct vspan *root = vspan__far(t->root);
	char title[160], told[64] = "";
	uint64_t length = vspan__duration(t->root);

	if (!root->error && vtrace__has_error(t))
		snprintf(told, sizeof(told), "%s to the customer, %s inside", root->code[0] ? root->code : "ok",
			 inner_code(t));
	else if (root->code[0])
		snprintf(told, sizeof(told), "answered %s", root->code);
	snprintf(title, sizeof(title), "%s%s%s  %s", label, label[0] ? "  " : "", root->operation, told);
	fputs(colour__on(o, COLOUR_BOLD), o->out);
	/* The trace's id, and what is before it, take 55 columns: where they are too many, a line of its own. */
	print__field(o->out, title, a->service + a->operation + a->columns + FIGURES_COLUMNS - (a->narrow ? 16 : 56));
	fprintf(o->out, "%12.1f ms%strace ", ms_of(length), a->narrow ? "\n" : "  ");
	for (int i = 0; i < 16; i++)
		fprintf(o->out, "%02x", t->id[i]);
	fprintf(o->out, "%s\n", colour__off(o));
}

static void print__axis(const struct view_options *o, const struct axis *a)
{
	char half[32], end[32];
	int left, right;

	snprintf(half, sizeof(half), "%.4g", ms_of(a->length) / 2);
	snprintf(end, sizeof(end), "%.4g", ms_of(a->length));
	fputs(colour__on(o, COLOUR_DIM), o->out);
	print__field(o->out, "service", a->service);
	print__field(o->out, "operation", a->operation);
	left = (int)a->columns / 2 - 4;
	if ((int)strlen(half) >= left) /* no room beside "0 ms" */
		half[0] = '\0';
	right = (int)a->columns - 4 - left;
	fprintf(o->out, "0 ms%*s%*s %8s %8s  %s%s\n", left, half, right, end, "total", "own", "link", colour__off(o));
}

void tree__print(const struct view_options *o, struct vtrace *t, const char *label, const char *remark)
{
	struct axis a = axis__of(o->width);
	char indent[DEPTH_MAX * 4 + 8] = "";

	vtrace__arrange(t);
	if (!t->root)
		return;
	a.from = t->root->start_ns;
	a.length = vspan__duration(t->root);
	print__title(o, t, label, &a);
	print__axis(o, &a);
	for (const struct vspan *top = t->root; top; top = top->sibling) {
		print__row(o, &a, top, "", "");
		print__rows(o, &a, top->child, indent, 0);
	}
	if (remark)
		fprintf(o->out, "  %s%s%s\n", colour__on(o, COLOUR_RED), remark, colour__off(o));
	fputc('\n', o->out);
}

// SPDX-License-Identifier: Apache-2.0
#include "meta/service_name.h"

#include <ctype.h>

#include "util/cursor.h"
#include "util/text.h"

#define ARGS_MAX 128

struct interpreter {
	const char *program;
	const char *with_value[16]; /* options that take the next argument */
	const char *module;	    /* option whose argument is the program */
	const char *text;	    /* letters of options that take the program itself, which is no name and may hold a secret */
	const char *valued;	    /* letters after which the rest of an argument is no letters */
};

static const struct interpreter interpreters[] = {
	{"python", {"-W", "-X", "--check-hash-based-pycs"}, "-m", "c", "WXm"},
	{"node", {"-r", "--require", "--import", "--loader", "-C", "--conditions", "--env-file"}, NULL, "ep", "rC"},
	{"java",
	 {"-cp", "-classpath", "--class-path", "-p", "--module-path", "--add-modules", "--add-opens", "--add-exports",
	  "--add-reads", "--source"},
	 "-jar", "", ""},
	{"ruby", {"-I", "-r", "-C"}, NULL, "e", "IrCEFKTWx0"},
	{"perl", {"-I"}, NULL, "eE", "IMmxiCDF"},
	{"php", {"-d", "-c", "-z", "-S", "-t"}, "-f", "rBRE", "dczfSt"},
	{"bash", {"-o", "-O"}, NULL, "cs", "oO"},
	{"dash", {"-o"}, NULL, "cs", "o"},
	{"sh", {"-o"}, NULL, "cs", "o"},
	{"dotnet", {NULL}, "exec", "", ""},
};

static const char *const text_options[] = {"--eval", "--print", "--run"};

/* Servers that run somebody's module: the argument "module:object" names it. */
static const char *const module_servers[] = {"gunicorn", "uvicorn", "hypercorn", "daphne", "granian", "waitress-serve"};

static struct slice base_of(struct slice path)
{
	while (path.n && path.p[path.n - 1] == '/')
		path.n--;
	return slice__leaf(path);
}

/* The name a process goes by: "nginx: worker process" -> nginx, "redis-server *:6379" -> redis-server, "-bash" -> bash. */
static struct slice title_of(struct slice arg0)
{
	size_t n = slice__find(arg0, ' ');

	arg0 = slice__sub(arg0, 0, n);
	if (arg0.n && arg0.p[0] == '-')
		arg0 = slice__sub(arg0, 1, arg0.n);
	if (arg0.n && arg0.p[arg0.n - 1] == ':')
		arg0.n--;
	return base_of(arg0);
}

/* "com.acme.Main" -> "Main"; what is no dotted name ("shop-1.2") stays as it is. */
static struct slice last_name(struct slice s)
{
	size_t last = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.')
			last = i + 1;
		else if (!isalnum((unsigned char)s.p[i]) && !strchr("_$", s.p[i]))
			return s;
	}
	return last < s.n && !isdigit((unsigned char)s.p[last]) ? slice__sub(s, last, s.n) : s;
}

/* "order.py" -> "order", "shop-1.2.jar" -> "shop-1.2"; for a dotted class or module its last part. */
static struct slice without_suffix(struct slice s)
{
	static const char *const suffixes[] = {".py", ".js", ".mjs", ".cjs", ".ts", ".jar", ".rb", ".pl", ".php", ".sh", ".dll", ".pyc"};

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		size_t n = strlen(suffixes[i]);

		if (s.n > n && !memcmp(s.p + s.n - n, suffixes[i], n))
			return (struct slice){s.p, s.n - n};
	}
	return last_name(s);
}

/* "python3.11" is a python. */
static const struct interpreter *interpreter_of(struct slice program)
{
	while (program.n && (isdigit((unsigned char)program.p[program.n - 1]) || program.p[program.n - 1] == '.'))
		program.n--;
	for (size_t i = 0; i < sizeof(interpreters) / sizeof(*interpreters); i++)
		if (slice__eq(program, slice__of(interpreters[i].program)))
			return &interpreters[i];
	return NULL;
}

static bool takes_value(const struct interpreter *in, struct slice arg)
{
	for (size_t i = 0; i < sizeof(in->with_value) / sizeof(*in->with_value) && in->with_value[i]; i++)
		if (slice__eq(arg, slice__of(in->with_value[i])))
			return true;
	return false;
}

/* Is it "-c" and the like, alone or with others ("-lc")? */
static bool takes_text(const struct interpreter *in, struct slice arg)
{
	for (size_t i = 0; i < sizeof(text_options) / sizeof(*text_options); i++)
		if (in->text[0] && slice__eq(arg, slice__of(text_options[i])))
			return true;
	for (size_t i = 1; i < arg.n && isalnum((unsigned char)arg.p[i]) && !strchr(in->valued, arg.p[i]); i++)
		if (strchr(in->text, arg.p[i]))
			return true;
	return arg.n == 1;
}

/* The part before the colon of "package.module:object", an empty slice for anything else. */
static struct slice module_of(struct slice arg)
{
	size_t colon = slice__find(arg, ':');

	if (!colon || colon + 1 >= arg.n || isdigit((unsigned char)arg.p[colon + 1]))
		return (struct slice){NULL, 0};
	for (size_t i = 0; i < arg.n; i++)
		if (i != colon && !isalnum((unsigned char)arg.p[i]) && !strchr(i < colon ? "._" : "._()='\", ", arg.p[i]))
			return (struct slice){NULL, 0};
	return slice__sub(arg, 0, colon);
}

static bool runs_modules(struct slice program)
{
	for (size_t i = 0; i < sizeof(module_servers) / sizeof(*module_servers); i++)
		if (slice__eq(program, slice__of(module_servers[i])))
			return true;
	return false;
}

/* What a program made of its own command line: "gunicorn: worker [order:app]" -> order; "puma: worker" -> puma. */
static struct slice name_of_title(struct slice arg0)
{
	struct slice title = title_of(arg0), module = {NULL, 0};
	size_t from = slice__find(arg0, '[') + 1;

	if (runs_modules(title))
		module = slice__sub(arg0, from, slice__find(slice__sub(arg0, from, arg0.n), ']'));
	return module_of(module).n ? without_suffix(module_of(module)) : title;
}

static struct slice program_of(const struct slice *args, size_t n, size_t at)
{
	struct slice script = base_of(args[at]);

	for (size_t k = at + 1; runs_modules(script) && k < n; k++) {
		if (slice__eq(args[k], SLICE("-c")) || slice__eq(args[k], SLICE("--config")))
			k++; /* "python:settings" */
		else if (module_of(args[k]).n)
			return without_suffix(module_of(args[k]));
	}
	return without_suffix(script);
}

/* Index of the argument that names what the interpreter runs; 0: none (interactive, -c). */
static size_t script_at(const struct interpreter *in, const struct slice *args, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		if (in->module && slice__eq(args[i], slice__of(in->module)))
			return i + 1 < n ? i + 1 : 0;
		if (takes_value(in, args[i]))
			i++;
		else if (args[i].n && args[i].p[0] != '-')
			return i;
		else if (args[i].n && takes_text(in, args[i]))
			return 0;
	}
	return 0;
}

void service_name__of(struct slice cmdline, struct slice exe, char *name, size_t size)
{
	struct cursor c = cursor__of(cmdline);
	struct slice args[ARGS_MAX], out = base_of(exe);
	const struct interpreter *in;
	size_t n = 0, at;

	while (n < ARGS_MAX && cursor__left(&c)) {
		args[n] = cursor__cstr(&c);
		if (c.over)
			break;
		n++;
	}
	in = interpreter_of(out);
	/* A program of many names is called by the one it was started under. */
	if (!in && n && title_of(args[0]).n)
		out = title_of(args[0]);
	in = in ? in : interpreter_of(out);
	at = in ? script_at(in, args, n) : 0;
	if (at)
		out = program_of(args, n, at);
	else if (in && n && title_of(args[0]).n && !interpreter_of(title_of(args[0])))
		out = name_of_title(args[0]);
	if (!out.n)
		out = SLICE("unknown_service");
	text__copy(name, size, out);
}

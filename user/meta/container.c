// SPDX-License-Identifier: Apache-2.0
/*
 * container.c - in: a cgroup's path; out: container id, runtime, pod uid. Where each custom is from:
 *   docker           moby daemon/oci_linux.go: /docker/ID (cgroupfs), docker-ID.scope (systemd)
 *   cri-containerd   containerd internal/cri/server/helpers.go, getCgroupsPath: parent "/" ID, or parent ":cri-containerd:" ID
 *   crio             cri-o internal/config/cgmgr: crio-ID, crio-ID.scope; conmon of its own: crio-conmon-ID
 *   libpod           podman libpod/container_internal_linux.go: /libpod_parent/libpod-ID, libpod-ID.scope
 *   nerdctl          nerdctl pkg/cmd/container: NAMESPACE/ID, nerdctl-ID.scope
 *   pods             kubernetes pkg/kubelet/cm: kubepods/QOS/podUID; systemd: kubepods-QOS-podU_I_D.slice
 * systemd's driver makes the scope PREFIX-ID.scope of "SLICE:PREFIX:ID" (runc libcontainer/cgroups/systemd).
 */
#include "meta/container.h"

#include <ctype.h>

#include "util/text.h"

#define ID_DIGITS 64 /* all these runtimes give 256 random bits, in hex */
#define DEPTH_MAX 32

static const struct custom {
	const char *before, *after, *runtime;
} customs[] = {
	{"docker-", ".scope", "docker"},
	{"cri-containerd-", ".scope", "containerd"},
	{"nerdctl-", ".scope", "containerd"},
	{"crio-", ".scope", "cri-o"},
	{"crio-", "", "cri-o"},
	{"libpod-", ".scope", "podman"},
	{"libpod-", "", "podman"},
	{"", "", ""}, /* cgroupfs: the folder above tells */
};

/* A bare id below a folder of this name. */
static const struct {
	const char *folder, *runtime;
} folders[] = {
	{"docker", "docker"}, {"docker-ce", "docker"}, {"buildkit", "docker"}, {"libpod_parent", "podman"},
	{"k8s.io", "containerd"}, {"default", "containerd"}, {"moby", "docker"},
};

static bool is_hex(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!isdigit((unsigned char)s.p[i]) && !(s.p[i] >= 'a' && s.p[i] <= 'f'))
			return false;
	return s.n > 0;
}

/* What stands between `before` and `after`; empty if it is not both. */
static struct slice between(struct slice s, const char *before, const char *after)
{
	const size_t b = strlen(before), a = strlen(after);

	if (s.n < a + b || memcmp(s.p, before, b) || memcmp(s.p + s.n - a, after, a))
		return (struct slice){NULL, 0};
	return (struct slice){s.p + b, s.n - a - b};
}

/* "PARENT:cri-containerd:ID": a systemd path that was given to the cgroupfs driver, one folder with colons. */
static struct slice after_colons(struct slice s, const char **runtime)
{
	static const struct {
		const char *word, *runtime;
	} words[] = {{":cri-containerd:", "containerd"}, {":docker:", "docker"}, {":crio:", "cri-o"}, {":libpod:", "podman"}};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		const size_t n = strlen(words[i].word);

		if (s.n <= ID_DIGITS + n || memcmp(s.p + s.n - ID_DIGITS - n, words[i].word, n))
			continue;
		*runtime = words[i].runtime;
		return slice__sub(s, s.n - ID_DIGITS, ID_DIGITS);
	}
	return (struct slice){NULL, 0};
}

static const char *runtime__of_folder(struct slice folder)
{
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		if (slice__eq(folder, slice__of(folders[i].folder)))
			return folders[i].runtime;
	return "";
}

static bool component__container(struct slice s, struct slice parent, struct container_ref *ref)
{
	struct slice id = after_colons(s, &ref->runtime);

	for (size_t i = 0; i < sizeof(customs) / sizeof(*customs) && !id.n; i++) {
		id = between(s, customs[i].before, customs[i].after);
		ref->runtime = customs[i].runtime[0] ? customs[i].runtime : runtime__of_folder(parent);
		if (id.n != ID_DIGITS || !is_hex(id))
			id.n = 0;
	}
	if (id.n != ID_DIGITS || !is_hex(id))
		return false;
	text__copy(ref->id, sizeof(ref->id), id);
	return true;
}

/* "pod<uid>", "...-pod<uid with underscores>.slice", and that with ":cri-containerd:..." behind it. */
static void component__pod(struct slice s, struct container_ref *ref)
{
	size_t at = s.n, n, digits = 0;
	struct slice uid;

	s = slice__sub(s, 0, slice__find(s, ':'));
	for (size_t i = 0; i + 3 < s.n; i++)
		if (!memcmp(s.p + i, "pod", 3) && (!i || s.p[i - 1] == '-'))
			at = i + 3;
	uid = slice__sub(s, at, s.n);
	uid = slice__sub(uid, 0, slice__find(uid, '.'));
	for (n = 0; n < uid.n && n < sizeof(ref->pod_uid) - 1; n++) {
		ref->pod_uid[n] = uid.p[n] == '_' ? '-' : uid.p[n];
		digits += isxdigit((unsigned char)uid.p[n]) != 0;
	}
	ref->pod_uid[n] = '\0';
	/* A UUID, or the hash of a static pod's file. */
	if (n != uid.n || digits != 32 || (n != 36 && n != 32))
		ref->pod_uid[0] = '\0';
}

bool container__of_path(struct slice path, struct container_ref *ref)
{
	struct slice parts[DEPTH_MAX];
	size_t n = 0, at;

	*ref = (struct container_ref){.runtime = ""};
	while (path.n && n < DEPTH_MAX) {
		size_t end = slice__find(path, '/');

		if (end)
			parts[n++] = slice__sub(path, 0, end);
		path = slice__sub(path, end + 1, path.n);
	}
	for (at = n; at > 0 && !component__container(parts[at - 1], at > 1 ? parts[at - 2] : SLICE(""), ref); at--)
		;
	if (!at)
		ref->runtime = "";
	for (size_t i = at ? at : n; i > 0 && !ref->pod_uid[0]; i--)
		component__pod(parts[i - 1], ref);
	return at > 0;
}

bool container__of_file(struct slice text, struct container_ref *ref, struct slice *path)
{
	struct container_ref one;

	*path = (struct slice){"", 0};
	*ref = (struct container_ref){.runtime = ""};
	while (text.n) {
		size_t end = slice__find(text, '\n');
		struct slice line = slice__sub(text, 0, end);

		text = slice__sub(text, end + 1, text.n);
		/* "4:memory:/path"; the path may hold colons. */
		line = slice__sub(line, slice__find(line, ':') + 1, line.n);
		line = slice__sub(line, slice__find(line, ':') + 1, line.n);
		if (container__of_path(line, &one)) {
			*ref = one;
			*path = line;
			return true;
		}
		if (line.n > path->n)
			*path = line;
	}
	return false;
}

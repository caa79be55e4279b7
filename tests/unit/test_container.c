// SPDX-License-Identifier: Apache-2.0
/* test_container.c - cgroup paths as they are met in the field, and such as look like them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "guard.h"
#include "meta/container.h"

#define A "3d4f9c1b6b2a4f0e9b1f2c3d4e5f60718293a4b5c6d7e8f9012345678abcdef0"
#define B "f00dfeedcafe4f0e9b1f2c3d4e5f60718293a4b5c6d7e8f9012345678abcdef1"
#define UID "c2a0f5ae-3b3a-4c8e-8d3e-0d0b7a3f2f11"
#define U_I_D "c2a0f5ae_3b3a_4c8e_8d3e_0d0b7a3f2f11"

/* Layouts: the documentation and issues of each runtime; see container.c for the code that makes them. */
static const struct {
	const char *path, *id, *runtime, *pod;
} rows[] = {
	/* docker, both drivers, rootless, a cgroup parent of the user's */
	{"/docker/" A, A, "docker", ""},
	{"/system.slice/docker-" A ".scope", A, "docker", ""},
	{"/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" A ".scope", A, "docker", ""},
	{"/ci-jobs/" A, A, "", ""},
	{"/docker/buildx/docker/" A, A, "docker", ""},
	/* docker in docker, kind: the innermost */
	{"/docker/" B "/docker/" A, A, "docker", ""},
	{"/docker/" B "/kubelet/kubepods/besteffort/pod" UID "/" A, A, "", UID},
	{"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod" U_I_D
	 ".slice/cri-containerd-" A ".scope", A, "containerd", UID},
	/* kubelet with cgroupfs: besteffort, burstable, guaranteed; below a cgroup root */
	{"/kubepods/besteffort/pod" UID "/" A, A, "", UID},
	{"/kubepods/burstable/pod" UID "/" A, A, "", UID},
	{"/kubepods/pod" UID "/" A, A, "", UID},
	{"/e2e-4711/kubepods/besteffort/pod" UID "/" A, A, "", UID},
	{"/kubepods/burstable/pod" UID "/crio-" A, A, "cri-o", UID},
	/* kubelet with systemd */
	{"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" U_I_D ".slice/cri-containerd-" A ".scope", A,
	 "containerd", UID},
	{"/kubepods.slice/kubepods-pod" U_I_D ".slice/cri-containerd-" A ".scope", A, "containerd", UID},
	{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" U_I_D ".slice/crio-" A ".scope", A, "cri-o", UID},
	{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" U_I_D ".slice/crio-" A ".scope/container", A,
	 "cri-o", UID},
	{"/kubepods.slice/kubepods-pod" U_I_D ".slice/docker-" A ".scope", A, "docker", UID},
	/* a static pod: its uid is the hash of its file */
	{"/kubepods/burstable/podb38d1ffb5c5b0b9d3ae1a5a4b8a9e1f0/" A, A, "", "b38d1ffb5c5b0b9d3ae1a5a4b8a9e1f0"},
	/* a systemd path given to the cgroupfs driver: one folder with colons */
	{"/system.slice/containerd.service/kubepods-burstable-pod" U_I_D ".slice:cri-containerd:" A, A, "containerd", UID},
	{"/kubepods-besteffort-pod" U_I_D ".slice:cri-containerd:" A, A, "containerd", UID},
	/* another cgroup namespace */
	{"/../../pod" UID "/" A, A, "", UID},
	{"/../cri-containerd-" A ".scope", A, "containerd", ""},
	/* podman, rootful and rootless, in a pod, with systemd inside */
	{"/machine.slice/libpod-" A ".scope", A, "podman", ""},
	{"/machine.slice/libpod-" A ".scope/container", A, "podman", ""},
	{"/machine.slice/libpod-" A ".scope/init.scope", A, "podman", ""},
	{"/libpod_parent/libpod-" A, A, "podman", ""},
	{"/libpod_parent/libpod-" A "/ctr", A, "podman", ""},
	{"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" A ".scope/container", A, "podman", ""},
	{"/machine.slice/machine-libpod_pod_" B ".slice/libpod-" A ".scope", A, "podman", ""},
	/* nerdctl */
	{"/system.slice/nerdctl-" A ".scope", A, "containerd", ""},
	{"/default/" A, A, "containerd", ""},
	/* ECS on EC2 */
	{"/ecs/0d0b7a3f2f11c2a0f5ae3b3a4c8e8d3e/" A, A, "", ""},
	/* none */
	{"/", NULL, "", ""},
	{"", NULL, "", ""},
	{"/user.slice/user-1000.slice/session-3.scope", NULL, "", ""},
	{"/system.slice/docker.service", NULL, "", ""},
	{"/machine.slice/libpod-conmon-" A ".scope", NULL, "", ""},
	{"/kubepods/burstable/pod" UID "/crio-conmon-" A, NULL, "", UID},
	{"/kubepods/burstable/pod" UID, NULL, "", UID},
	{"/docker/3d4f9c1b6b2a", NULL, "", ""},
	{"/docker/" A "0", NULL, "", ""},
	{"/docker/3D4F9C1B6B2A4F0E9B1F2C3D4E5F60718293A4B5C6D7E8F9012345678ABCDEF0", NULL, "", ""},
	{"/system.slice/podman.service", NULL, "", ""},
	{"/podinfo/tripod", NULL, "", ""},
	{"/kubepods/burstable/podc2a0f5ae-3b3a", NULL, "", ""},
};

static void check(size_t i, struct slice path)
{
	struct container_ref ref;
	bool found = container__of_path(path, &ref);

	if (found != (rows[i].id != NULL) || (found && strcmp(ref.id, rows[i].id)) || strcmp(ref.runtime, rows[i].runtime) ||
	    strcmp(ref.pod_uid, rows[i].pod))
		fail_msg("%s: %d '%s' '%s' '%s'", rows[i].path, found, ref.id, ref.runtime, ref.pod_uid);
}

static void test_paths(void **state)
{
	struct guard g = guard__new(4096);

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		check(i, guard__put(&g, slice__of(rows[i].path)));
	guard__free(&g);
}

/* Every prefix of every path: nothing is read past the end, and no id is made of half a one. */
static void test_prefixes(void **state)
{
	struct guard g = guard__new(4096);

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		for (size_t n = 0; n < strlen(rows[i].path); n++) {
			struct container_ref ref;

			if (container__of_path(guard__put(&g, (struct slice){rows[i].path, n}), &ref))
				assert_int_equal(strlen(ref.id), 64);
		}
	}
	guard__free(&g);
}

static void test_files(void **state)
{
	static const struct {
		const char *text, *id, *path;
	} files[] = {
		{"0::/system.slice/docker-" A ".scope\n", A, "/system.slice/docker-" A ".scope"},
		{"12:pids:/docker/" A "\n1:name=systemd:/docker/" A "\n0::/\n", A, "/docker/" A},
		/* hybrid, the second version at its root; one hierarchy outside */
		{"0::/\n8:memory:/kubepods/pod" UID "/" A "\n4:cpu,cpuacct:/user.slice\n", A, "/kubepods/pod" UID "/" A},
		{"11:pids:/mine/shop\n1:name=systemd:/\n0::/\n", NULL, "/mine/shop"},
		{"0::/\n", NULL, "/"},
		{"3:net_cls,net_prio:/a:b/docker-" A ".scope", A, "/a:b/docker-" A ".scope"},
		{"garbage", NULL, ""},
		{"", NULL, ""},
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		struct container_ref ref;
		struct slice path;

		assert_int_equal(container__of_file(slice__of(files[i].text), &ref, &path), files[i].id != NULL);
		assert_string_equal(ref.id, files[i].id ? files[i].id : "");
		assert_true(slice__eq(path, slice__of(files[i].path)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests_name("container", tests, NULL, NULL);
}

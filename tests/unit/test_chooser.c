// SPDX-License-Identifier: Apache-2.0
/* test_chooser.c - what the kernel is told of containers' cgroups; the kernel is the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "agent/chooser.h"
#include "attach/cgroup.h"

#define ID "3f4f05b1a2c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e"
#define CGROUP_PATH "/docker/" ID
#define CGROUPS 16

static unsigned verdicts[CGROUPS]; /* by id: what the kernel holds */

int attach__set_cgroup(struct attach *a, uint32_t hierarchy, uint64_t id, unsigned verdict)
{
	assert_true(id < CGROUPS);
	verdicts[id] = verdict;
	return 0;
}

bool attach__is_selected(const struct attach *a, uint32_t tgid) { return false; }
int attach__set_process(struct attach *a, uint32_t tgid, const struct ws_process *p) { return 0; }
bool attach__unset_process(struct attach *a, uint32_t tgid) { return false; }
void attach__announce(struct attach *a) {}
void attach__select_again(struct attach *a) {}
uint64_t cgroup__of_pid(uint32_t pid, uint32_t hierarchy, char *path, size_t size) { return 0; }

static void told(struct chooser *ch, enum ws_proc_what what, uint64_t id, const char *path)
{
	struct ws_rec_cgroup r = {.id = id, .what = (uint8_t)what};

	chooser__cgroup(ch, &r, slice__of(path));
}

static void check_restart(const struct selection *sel, unsigned verdict)
{
	struct identities *ids = identities__new(-1, NULL, false);
	struct chooser *ch = chooser__new(sel, NULL, ids, NULL);

	memset(verdicts, 0, sizeof(verdicts));
	told(ch, WS_PROC_CGROUP_MADE, 1, CGROUP_PATH);
	assert_int_equal(verdicts[1], verdict);
	told(ch, WS_PROC_CGROUP_MADE, 2, CGROUP_PATH "/init.scope"); /* goes with the one above */
	assert_int_equal(verdicts[1], verdict);
	assert_int_equal(verdicts[2], 0);
	told(ch, WS_PROC_CGROUP_GONE, 2, CGROUP_PATH "/init.scope");
	assert_int_equal(verdicts[1], verdict);
	told(ch, WS_PROC_CGROUP_GONE, 1, CGROUP_PATH);
	assert_int_equal(verdicts[1], 0);
	told(ch, WS_PROC_CGROUP_MADE, 3, CGROUP_PATH); /* started again */
	assert_int_equal(verdicts[3], verdict);
	told(ch, WS_PROC_CGROUP_MADE, 4, CGROUP_PATH); /* and again, but that the other has gone was lost */
	assert_int_equal(verdicts[3], 0);
	assert_int_equal(verdicts[4], verdict);
	chooser__free(ch);
	identities__free(ids);
}

static void test_restart_of_a_wanted_one(void **state)
{
	const struct selection sel = {.containers = {ID}, .n_containers = 1};

	check_restart(&sel, WS_CGROUP_WANTED);
}

static void test_restart_of_one_left_out(void **state)
{
	const struct selection sel = {.all = true, .nots = {"container=" ID}, .n_nots = 1};

	check_restart(&sel, WS_CGROUP_LEFT_OUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_restart_of_a_wanted_one),
		cmocka_unit_test(test_restart_of_one_left_out),
	};

	setenv("WIRESPAN_HOST_ROOT", "/nonexistent", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

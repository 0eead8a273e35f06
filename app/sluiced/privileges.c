// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/diag.h"
#include "base/util.h"

#include "privileges.h"

#define KEPT ((UINT32_C(1) << CAP_NET_ADMIN) | (UINT32_C(1) << CAP_NET_RAW))

/* glibc has no wrapper. Of the calling thread only, as the kernel defines it. */
static int
cap_set(uint32_t kept)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{.effective = kept, .permitted = kept}};

	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

static uint32_t
cap_permitted(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	return syscall(SYS_capget, &head, data) < 0 ? 0 : data[0].permitted;
}

/* glibc changes the ids of every thread; the capabilities of all but ours go with them. */
static int
become(const struct passwd *pw)
{
	if (prctl(PR_SET_KEEPCAPS, 1L, 0L, 0L, 0L) < 0)
		return -errno;
	if (setgroups(0, NULL) < 0 || setgid(pw->pw_gid) < 0 || setuid(pw->pw_uid) < 0)
		return -errno;
	return 0;
}

int
privileges_drop(const char *user, bool *ret_changed, struct diag *diag)
{
	const struct passwd *pw = NULL;
	const bool change = user[0] != '\0' && geteuid() == 0;
	int r;

	if (change) {
		errno = 0;
		pw = getpwnam(user);
		if (pw == NULL)
			return diag_fail(diag, -ENOENT,
				"[control] user = %s: there is no such user; "
				"create it or set \"user =\" to stay root",
				user);
		r = become(pw);
		if (r < 0)
			return diag_fail(diag, r, "cannot become user %s: %s", user, strerror(-r));
	}

	if (change) {
		r = cap_set(KEPT & cap_permitted());
		if (r < 0)
			return diag_fail(diag, r, "cannot reduce capabilities: %s", strerror(-r));
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0)
		return diag_fail(diag, -errno, "cannot set no_new_privs: %s", strerror(errno));

	*ret_changed = change;
	return 0;
}

void
privileges_none(void)
{
	if (geteuid() != 0)
		(void)cap_set(0);
}

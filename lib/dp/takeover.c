// SPDX-License-Identifier: BSD-3-Clause
#include "takeover.h"

#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"

#include "sluice_build.h"

#if HAVE_NFTABLES

#include <nftables/libnftables.h>

#define TABLE_NAME_MAX (sizeof("sluice_") + 3 * (size_t)IFNAMSIZ)

/*
 * "sluice_eth1". What nft does not take in a name is written as a slash and two
 * hex digits: no interface has a slash in its name, so no two share a table.
 */
static void
table_name(const char *iface, char *buf, size_t size)
{
	size_t len = (size_t)snprintf(buf, size, "sluice_");

	for (const unsigned char *p = (const unsigned char *)iface; *p != '\0'; p++) {
		const bool plain = *p < 0x80 && (isalnum(*p) || strchr("._-", *p) != NULL);

		len += (size_t)snprintf(buf + len, size - len, plain ? "%c" : "/%02x", *p);
	}
}

/* Run @cmd; its first complaint into @error, where there is one. */
static int
run(const char *cmd, char *error, size_t size)
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
	int r;

	if (nft == NULL) {
		snprintf(error, size, "out of memory");
		return -ENOMEM;
	}
	(void)nft_ctx_buffer_output(nft);
	(void)nft_ctx_buffer_error(nft);
	r = nft_run_cmd_from_buffer(nft, cmd) == 0 ? 0 : -EIO;
	if (r < 0) {
		const char *text = nft_ctx_get_error_buffer(nft);

		if (text == NULL)
			text = "no reason given";
		snprintf(error, size, "%.*s", (int)strcspn(text, "\n"), text);
		if (strstr(text, "Operation not permitted") != NULL)
			r = -EPERM;
	}
	nft_ctx_free(nft);
	return r;
}

int
takeover_begin(const char *iface, struct diag *diag)
{
	char table[TABLE_NAME_MAX], cmd[1024], error[256] = "";
	int r;

	/* Adding first makes the deletion work whether one was there or not. */
	table_name(iface, table, sizeof(table));
	snprintf(cmd, sizeof(cmd),
		"add table netdev %s; delete table netdev %s; add table netdev %s; "
		"add chain netdev %s ingress "
		"{ type filter hook ingress device \"%s\" priority 0; policy drop; }",
		table, table, table, table, iface);
	r = run(cmd, error, sizeof(error));
	if (r == -EPERM)
		return diag_fail(diag, r,
			"may not take '%s' over from the kernel: needs CAP_NET_ADMIN; start as root, or "
			"set takeover = no to only listen",
			iface);
	if (r < 0)
		return diag_fail(
			diag, r, "cannot take '%s' over from the kernel: nft: %s", iface, error);
	return 0;
}

void
takeover_end(const char *iface)
{
	char table[TABLE_NAME_MAX], cmd[128], error[256];

	table_name(iface, table, sizeof(table));
	snprintf(cmd, sizeof(cmd), "delete table netdev %s", table);
	(void)run(cmd, error, sizeof(error));
}

#else

int
takeover_begin(const char *iface, struct diag *diag)
{
	return diag_fail(diag, -ENOTSUP,
		"cannot take '%s' over from the kernel: this build lacks libnftables; build with "
		"libnftables-dev installed, or set takeover = no to only listen",
		iface);
}

void
takeover_end(const char *iface)
{
	(void)iface;
}

#endif

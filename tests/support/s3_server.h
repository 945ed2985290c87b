/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A real S3 server for a test binary: Ceph's gateway (tests/support/ceph.sh), or the server that
 * S3_ENDPOINT names. Tests run from the top of the repository.
 */
#ifndef CAIRN_TESTS_S3_SERVER_H
#define CAIRN_TESTS_S3_SERVER_H

#include <stddef.h>

/* Group set-up and teardown: endpoint, keys and S3_BUCKET are in the environment in between.
 * 0, or -1 with the reason on standard error. */
int s3_server_start(void **state);
int s3_server_stop(void **state);

/* s3://bucket/ and a prefix that no other test uses, ending in `suffix`. */
void s3_server_place(const char *suffix, char *out, size_t size);

#endif

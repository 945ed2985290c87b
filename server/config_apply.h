/* SPDX-License-Identifier: BSD-3-Clause */
/* What a changed directive sets in motion; and directives with a form of their own. */
#ifndef CAIRN_SERVER_CONFIG_APPLY_H
#define CAIRN_SERVER_CONFIG_APPLY_H

#include "server/config.h"

void apply_maxclients(void);
void apply_password(void);
void apply_sync_interval(void);
void apply_journal_fsync(void);
void apply_pending_limit(void);
void apply_replica_expiry(void);
void apply_maxmemory(void);
void apply_request_limits(void);
void apply_value_limits(void);
void apply_slowlog_len(void);

bool set_output_limits(struct slice value, bool check_only, struct text *error);
void get_output_limits(struct text *out);
bool set_save(struct slice value, bool check_only, struct text *error);
bool set_notify(struct slice value, bool check_only, struct text *error);
void get_notify(struct text *out);

/* Bytes with k kb m mb g gb (1000s for k m g, 1024s for kb mb gb), any case. */
bool config_parse_memory(struct slice text, int64_t *bytes);

/* Raises the limit of open files to what maxclients needs; returns how many clients it allows. */
int64_t config_raise_files(int64_t clients);

#endif

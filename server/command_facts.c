/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One row a command that has more to tell than its row in the command table; sorted by name.
 * tests/integration/differences.py compares what comes of it with redis-server's answers.
 */
#include "server/command_facts.h"

#include <stdlib.h>
#include <string.h>

#include "server/command.h"

#define KEY(at, flags)                                                                             \
    {                                                                                              \
        flags, at, 0, 1, false                                                                     \
    }
#define KEYS(at, flags)                                                                            \
    {                                                                                              \
        flags, at, -1, 1, false                                                                    \
    }
#define COUNTED(at, flags)                                                                         \
    {                                                                                              \
        flags, at, 0, 1, true                                                                      \
    }

/* clang-format off */
const struct command_facts command_facts[] = {
    {"append", .keys = {KEY(1, "RW insert")}},
    {"blmove", .keys = {KEY(1, "RW access delete"), KEY(2, "RW insert")}},
    {"blmpop", .keys = {COUNTED(2, "RW access delete")}},
    {"blpop", .keys = {{"RW access delete", 1, -2, 1, false}}},
    {"brpop", .keys = {{"RW access delete", 1, -2, 1, false}}},
    {"brpoplpush", .keys = {KEY(1, "RW access delete"), KEY(2, "RW insert")}},
    {"client|info", .tips = "nondeterministic_output"},
    {"client|list", .tips = "nondeterministic_output"},
    {"command", .tips = "nondeterministic_output_order", .categories = CATEGORY_CONNECTION},
    {"command|count", .categories = CATEGORY_CONNECTION},
    {"command|docs", .tips = "nondeterministic_output_order", .categories = CATEGORY_CONNECTION},
    {"command|getkeys", .categories = CATEGORY_CONNECTION},
    {"command|getkeysandflags", .categories = CATEGORY_CONNECTION},
    {"command|help", .categories = CATEGORY_CONNECTION},
    {"command|info", .tips = "nondeterministic_output_order", .categories = CATEGORY_CONNECTION},
    {"command|list", .tips = "nondeterministic_output_order", .categories = CATEGORY_CONNECTION},
    {"config|set", .tips = "request_policy:all_nodes response_policy:all_succeeded"},
    {"copy", .keys = {KEY(1, "RO access"), KEY(2, "OW update")}},
    {"dbsize", .tips = "request_policy:all_shards response_policy:agg_sum", .categories = CATEGORY_KEYSPACE},
    {"decr", .keys = {KEY(1, "RW access update")}},
    {"decrby", .keys = {KEY(1, "RW access update")}},
    {"del", .tips = "request_policy:multi_shard response_policy:agg_sum", .keys = {KEYS(1, "RM delete")}},
    {"divby", .keys = {KEY(1, "RW access update")}},
    {"exists", .tips = "request_policy:multi_shard response_policy:agg_sum", .keys = {KEYS(1, "RO")}},
    {"expire", .keys = {KEY(1, "RW update")}},
    {"expireat", .keys = {KEY(1, "RW update")}},
    {"expiretime", .keys = {KEY(1, "RO access")}},
    {"flushall", .tips = "request_policy:all_shards response_policy:all_succeeded", .categories = CATEGORY_DANGEROUS | CATEGORY_KEYSPACE},
    {"flushdb", .tips = "request_policy:all_shards response_policy:all_succeeded", .categories = CATEGORY_DANGEROUS | CATEGORY_KEYSPACE},
    {"function", .group = "scripting"},
    {"function|flush", .tips = "request_policy:all_shards response_policy:all_succeeded", .categories = CATEGORY_SCRIPTING, .group = "scripting"},
    {"function|help", .categories = CATEGORY_SCRIPTING, .group = "scripting"},
    {"function|list", .tips = "nondeterministic_output_order", .categories = CATEGORY_SCRIPTING, .group = "scripting"},
    {"get", .keys = {KEY(1, "RO access")}},
    {"getdel", .keys = {KEY(1, "RW access delete")}},
    {"getex", .keys = {KEY(1, "RW access update")}},
    {"getrange", .keys = {KEY(1, "RO access")}},
    {"getset", .keys = {KEY(1, "RW access update")}},
    {"hdel", .keys = {KEY(1, "RW delete")}},
    {"hdivby", .keys = {KEY(1, "RW access update")}},
    {"hexists", .keys = {KEY(1, "RO")}},
    {"hget", .keys = {KEY(1, "RO access")}},
    {"hgetall", .tips = "nondeterministic_output_order", .keys = {KEY(1, "RO access")}},
    {"hincrby", .keys = {KEY(1, "RW access update")}},
    {"hincrbyfloat", .keys = {KEY(1, "RW access update")}},
    {"hkeys", .tips = "nondeterministic_output_order", .keys = {KEY(1, "RO access")}},
    {"hlen", .keys = {KEY(1, "RO")}},
    {"hmget", .keys = {KEY(1, "RO access")}},
    {"hmset", .keys = {KEY(1, "RW update")}},
    {"hmulby", .keys = {KEY(1, "RW access update")}},
    {"hrandfield", .tips = "nondeterministic_output", .keys = {KEY(1, "RO access")}},
    {"hscan", .tips = "nondeterministic_output", .keys = {KEY(1, "RO access")}},
    {"hset", .keys = {KEY(1, "RW update")}},
    {"hsetnx", .keys = {KEY(1, "RW insert")}},
    {"hstrlen", .keys = {KEY(1, "RO")}},
    {"hvals", .tips = "nondeterministic_output_order", .keys = {KEY(1, "RO access")}},
    {"incr", .keys = {KEY(1, "RW access update")}},
    {"incrby", .keys = {KEY(1, "RW access update")}},
    {"incrbyfloat", .keys = {KEY(1, "RW access update")}},
    {"info", .tips = "nondeterministic_output request_policy:all_shards response_policy:special", .categories = CATEGORY_DANGEROUS},
    {"keys", .tips = "request_policy:all_shards nondeterministic_output_order", .categories = CATEGORY_DANGEROUS},
    {"lastsave", .tips = "nondeterministic_output", .categories = CATEGORY_ADMIN | CATEGORY_DANGEROUS},
    {"lcs", .keys = {{"RO access", 1, 1, 1, false}}},
    {"lindex", .keys = {KEY(1, "RO access")}},
    {"linsert", .keys = {KEY(1, "RW insert")}},
    {"llen", .keys = {KEY(1, "RO")}},
    {"lmove", .keys = {KEY(1, "RW access delete"), KEY(2, "RW insert")}},
    {"lmpop", .keys = {COUNTED(1, "RW access delete")}},
    {"lpop", .keys = {KEY(1, "RW access delete")}},
    {"lpos", .keys = {KEY(1, "RO access")}},
    {"lpush", .keys = {KEY(1, "RW insert")}},
    {"lpushx", .keys = {KEY(1, "RW insert")}},
    {"lrange", .keys = {KEY(1, "RO access")}},
    {"lrem", .keys = {KEY(1, "RW delete")}},
    {"lset", .keys = {KEY(1, "RW update")}},
    {"ltrim", .keys = {KEY(1, "RW delete")}},
    {"memory|doctor", .tips = "nondeterministic_output request_policy:all_shards response_policy:special"},
    {"memory|purge", .tips = "request_policy:all_shards response_policy:all_succeeded"},
    {"memory|stats", .tips = "nondeterministic_output request_policy:all_shards response_policy:special"},
    {"memory|usage", .keys = {KEY(2, "RO")}},
    {"mget", .tips = "request_policy:multi_shard", .keys = {KEYS(1, "RO access")}},
    {"move", .keys = {KEY(1, "RW access update")}},
    {"mset", .tips = "request_policy:multi_shard response_policy:all_succeeded", .keys = {{"OW update", 1, -1, 2, false}}},
    {"msetnx", .tips = "request_policy:multi_shard response_policy:agg_min", .keys = {{"OW insert", 1, -1, 2, false}}},
    {"mulby", .keys = {KEY(1, "RW access update")}},
    {"object|encoding", .tips = "nondeterministic_output", .keys = {KEY(2, "RO")}},
    {"object|freq", .tips = "nondeterministic_output", .keys = {KEY(2, "RO")}},
    {"object|idletime", .tips = "nondeterministic_output", .keys = {KEY(2, "RO")}},
    {"object|refcount", .tips = "nondeterministic_output", .keys = {KEY(2, "RO")}},
    {"persist", .keys = {KEY(1, "RW update")}},
    {"pexpire", .keys = {KEY(1, "RW update")}},
    {"pexpireat", .keys = {KEY(1, "RW update")}},
    {"pexpiretime", .keys = {KEY(1, "RO access")}},
    {"ping", .tips = "request_policy:all_shards response_policy:all_succeeded"},
    {"psetex", .keys = {KEY(1, "OW update")}},
    {"pttl", .tips = "nondeterministic_output", .keys = {KEY(1, "RO access")}},
    {"pubsub|help", .group = "pubsub"},
    {"randomkey", .tips = "request_policy:all_shards nondeterministic_output"},
    {"rename", .keys = {KEY(1, "RW access delete"), KEY(2, "OW update")}},
    {"renamenx", .keys = {KEY(1, "RW access delete"), KEY(2, "OW insert")}},
    {"role", .categories = CATEGORY_ADMIN | CATEGORY_DANGEROUS},
    {"rpop", .keys = {KEY(1, "RW access delete")}},
    {"rpoplpush", .keys = {KEY(1, "RW access delete"), KEY(2, "RW insert")}},
    {"rpush", .keys = {KEY(1, "RW insert")}},
    {"rpushx", .keys = {KEY(1, "RW insert")}},
    {"sadd", .keys = {KEY(1, "RW insert")}},
    {"scan", .tips = "nondeterministic_output request_policy:special"},
    {"scard", .keys = {KEY(1, "RO")}},
    {"sdiff", .tips = "nondeterministic_output_order", .keys = {KEYS(1, "RO access")}},
    {"sdiffstore", .keys = {KEY(1, "OW update"), KEYS(2, "RO access")}},
    {"set", .keys = {KEY(1, "RW access update variable_flags")}},
    {"setex", .keys = {KEY(1, "OW update")}},
    {"setnx", .keys = {KEY(1, "OW insert")}},
    {"setrange", .keys = {KEY(1, "RW update")}},
    {"sinter", .tips = "nondeterministic_output_order", .keys = {KEYS(1, "RO access")}},
    {"sintercard", .keys = {COUNTED(1, "RO access")}},
    {"sinterstore", .keys = {KEY(1, "RW update"), KEYS(2, "RO access")}},
    {"sismember", .keys = {KEY(1, "RO")}},
    {"slowlog|get", .tips = "request_policy:all_nodes nondeterministic_output"},
    {"slowlog|len", .tips = "request_policy:all_nodes response_policy:agg_sum nondeterministic_output"},
    {"slowlog|reset", .tips = "request_policy:all_nodes response_policy:all_succeeded"},
    {"smembers", .tips = "nondeterministic_output_order", .keys = {KEY(1, "RO access")}},
    {"smismember", .keys = {KEY(1, "RO access")}},
    {"smove", .keys = {KEY(1, "RW access delete"), KEY(2, "RW insert")}},
    {"spop", .tips = "nondeterministic_output", .keys = {KEY(1, "RW access delete")}},
    {"spublish", .keys = {KEY(1, "not_key")}},
    {"srandmember", .tips = "nondeterministic_output", .keys = {KEY(1, "RO access")}},
    {"srem", .keys = {KEY(1, "RW delete")}},
    {"sscan", .tips = "nondeterministic_output", .keys = {KEY(1, "RO access")}},
    {"ssubscribe", .keys = {KEYS(1, "not_key")}},
    {"strlen", .keys = {KEY(1, "RO")}},
    {"substr", .keys = {KEY(1, "RO access")}},
    {"sunion", .tips = "nondeterministic_output_order", .keys = {KEYS(1, "RO access")}},
    {"sunionstore", .keys = {KEY(1, "OW update"), KEYS(2, "RO access")}},
    {"sunsubscribe", .keys = {KEYS(1, "not_key")}},
    {"swapdb", .categories = CATEGORY_DANGEROUS | CATEGORY_KEYSPACE},
    {"time", .tips = "nondeterministic_output"},
    {"touch", .tips = "request_policy:multi_shard response_policy:agg_sum", .keys = {KEYS(1, "RO")}},
    {"ttl", .tips = "nondeterministic_output", .keys = {KEY(1, "RO access")}},
    {"type", .keys = {KEY(1, "RO")}},
    {"unlink", .tips = "request_policy:multi_shard response_policy:agg_sum", .keys = {KEYS(1, "RM delete")}},
    {"wait", .tips = "request_policy:all_shards response_policy:agg_min", .categories = CATEGORY_CONNECTION, .group = "generic"},
    {"watch", .keys = {KEYS(1, "RO")}},
    {0},
};
/* clang-format on */

static int compare(const void *name, const void *row)
{
    return strcmp(name, ((const struct command_facts *)row)->name);
}

const struct command_facts *command_facts_find(const struct command *command)
{
    return bsearch(command->full_name, command_facts,
                   sizeof(command_facts) / sizeof(command_facts[0]) - 1, sizeof(command_facts[0]),
                   compare);
}

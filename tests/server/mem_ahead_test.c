/* SPDX-License-Identifier: BSD-3-Clause */
/* What arenas that join the clearing ahead have: memory like any other's. */
#include <dirent.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "ops/mem.h"
#include "server/mem_ahead.h"

#define MIB      ((size_t)1 << 20)
#define PAGE     4096
#define LOAD     (96 * MIB)
#define WAIT_MAX 20000 /* times of 1 ms at least */

int mallctl(const char *name, void *old, size_t *old_len, void *new_value, size_t new_len)
    __attribute__((weak));

static bool with_jemalloc(void)
{
    return strncmp(mem_allocator(), "jemalloc", 8) == 0;
}

/* jemalloc has them by ops/mem.c, unless MALLOC_CONF says otherwise. */
static bool with_huge_pages(void)
{
    const char *thp;
    size_t len = sizeof(thp);
    if (!with_jemalloc())
        return false;
    assert_int_equal(mallctl("opt.thp", &thp, &len, NULL, 0), 0);
    bool always = strcmp(thp, "always") == 0;
    assert_true(always || getenv("MALLOC_CONF"));
    return always;
}

static void run_joined(void (*run)(void))
{
    mem_ahead_start();
    mem_ahead_join();
    run();
    mem_ahead_stop();
}

static void run_in_fresh_arena(void (*run)(void))
{
    unsigned arena, old;
    size_t len = sizeof(arena);
    if (with_jemalloc()) {
        assert_int_equal(mallctl("arenas.create", &arena, &len, NULL, 0), 0);
        assert_int_equal(mallctl("thread.arena", &old, &len, &arena, len), 0);
    }
    run_joined(run);
    if (with_jemalloc())
        mallctl("thread.arena", NULL, NULL, &old, len);
}

static size_t resident(void)
{
    size_t all, pages;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_int_equal(fscanf(file, "%zu %zu", &all, &pages), 2);
    fclose(file);
    return pages * PAGE;
}

/* A list of blocks of many sizes, each filled with what its size says. */
struct block {
    struct block *next;
    size_t size;
    unsigned char rest[];
};

static struct block *grow(size_t bytes)
{
    struct block *first = NULL;
    for (size_t i = 0, size; bytes > 0; i++, bytes = bytes > size ? bytes - size : 0) {
        size = sizeof(struct block) + i * 37 % 300;
        if (i % 500 == 0)
            size = i * 4099 % (3 * MIB) + PAGE;
        struct block *block = mem_alloc(size);
        block->next = first;
        block->size = size;
        memset(block->rest, (int)(size & 255), size - sizeof(*block));
        first = block;
    }
    return first;
}

static void check_and_free(struct block *block)
{
    while (block) {
        struct block *next = block->next;
        for (size_t i = 0; i < block->size - sizeof(*block); i++)
            if (block->rest[i] != (block->size & 255))
                fail_msg("byte %zu of %zu", i, block->size);
        mem_free(block);
        block = next;
    }
}

static void wait_until_ready(size_t bytes)
{
    for (int i = 0; mem_ahead_ready() < bytes; i++) {
        if (i == WAIT_MAX)
            fail_msg("%zu bytes are ready", mem_ahead_ready());
        usleep(1000);
    }
}

/* A purge does nothing where jemalloc's own thread is at it. */
static void purge_until_below(size_t bytes)
{
    mem_purge();
    for (int i = 0; resident() >= bytes; i++) {
        if (i == WAIT_MAX)
            fail_msg("%zu bytes are resident", resident());
        usleep(1000);
        mem_purge();
    }
}

static void check_load_goes_back(void)
{
    size_t before = resident();
    struct block *blocks = grow(LOAD);
    assert_true(resident() >= LOAD);
    check_and_free(blocks);
    if (!with_jemalloc())
        return; /* a sanitizer keeps what is freed */
    mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
    purge_until_below(before + LOAD / 4);
}

static void memory_is_usable_and_goes_back(void **state)
{
    (void)state;
    run_in_fresh_arena(check_load_goes_back);
    run_in_fresh_arena(check_load_goes_back); /* started anew */
}

static void check_zero(const unsigned char *block, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (block[i])
            fail_msg("byte %zu of %zu", i, size);
}

/* From what is new, what was freed just now, and what has gone back. */
static void check_zeroes(void)
{
    for (size_t size = PAGE; size < 20 * MIB; size = size * 3 / 2) {
        for (int time = 0; time < 3; time++) {
            unsigned char *block = mem_calloc(1, size);
            check_zero(block, size);
            memset(block, 0xff, size);
            mem_free(block);
            if (time == 1)
                mem_purge();
        }
    }
}

static void cleared_memory_is_zero(void **state)
{
    (void)state;
    run_in_fresh_arena(check_zeroes);
}

static void check_ahead(void)
{
    unsigned char there[2 * MIB / PAGE];
    struct block *blocks = grow(LOAD);
    wait_until_ready(4 * MIB);
    /* With the step that jemalloc takes for it: no arena has so much left. */
    unsigned char *fresh = mem_alloc(2 * MIB);
    assert_int_equal(mincore(fresh - (uintptr_t)fresh % PAGE, 2 * MIB, there), 0);
    for (size_t i = 0; i < sizeof(there); i++)
        assert_true(there[i] & 1);
    mem_free(fresh);
    check_and_free(blocks);
}

static void wait_until_ready_falls_to(size_t bytes)
{
    for (int i = 0; mem_ahead_ready() > bytes; i++) {
        if (i == WAIT_MAX)
            fail_msg("%zu bytes are ready", mem_ahead_ready());
        usleep(1000);
    }
}

/* Of both kinds of memory, by turns: what goes back must be nobody's. */
static void check_burst(void)
{
    enum { BURSTS = 2, BUFFERS = 10 };
    struct block *blocks[BURSTS];
    unsigned char *buffers[BURSTS][BUFFERS];
    for (int burst = 0; burst < BURSTS; burst++) {
        blocks[burst] = grow(LOAD / 3);
        for (int i = 0; i < BUFFERS; i++)
            memset(buffers[burst][i] = mem_alloc_passing(MIB), i + 1, MIB);
        wait_until_ready(6 * MIB);
        /* A thirty-second is 2 MiB and what jemalloc has beyond the load. */
        wait_until_ready_falls_to(3 * MIB);
    }
    for (int burst = 0; burst < BURSTS; burst++) {
        check_and_free(blocks[burst]);
        for (int i = 0; i < BUFFERS; i++) {
            for (size_t n = 0; n < MIB; n++)
                if (buffers[burst][i][n] != i + 1)
                    fail_msg("byte %zu of buffer %d", n, i);
            mem_free(buffers[burst][i]);
        }
    }
}

static void check_first_growth(void)
{
    struct block *blocks = grow(MIB);
    wait_until_ready(MIB); /* what is left of a page */
    check_and_free(blocks);
}

static void the_next_page_is_there_however_little_is_in_use(void **state)
{
    (void)state;
    if (with_huge_pages())
        run_in_fresh_arena(check_first_growth);
}

static void while_memory_grows_fast_more_is_there(void **state)
{
    (void)state;
    if (with_huge_pages())
        run_in_fresh_arena(check_burst);
}

#define BLOCKS 280 /* of a MiB: more than a chunk of address space has */

/* Also where a chunk of address space ends and another begins. */
static void check_all_ahead(void)
{
    static unsigned char *fresh[BLOCKS];
    struct block *blocks = grow(LOAD);
    for (size_t i = 0; i < BLOCKS; i++) {
        unsigned char there[MIB / PAGE];
        wait_until_ready(4 * MIB);
        fresh[i] = mem_alloc(MIB);
        assert_int_equal(mincore(fresh[i] - (uintptr_t)fresh[i] % PAGE, MIB, there), 0);
        for (size_t n = 0; n < sizeof(there); n++)
            if (!(there[n] & 1))
                fail_msg("page %zu of block %zu", n, i);
    }
    for (size_t i = 0; i < BLOCKS; i++)
        mem_free(fresh[i]);
    check_and_free(blocks);
}

static void refuse(const struct sock_fprog *program)
{
    assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program), 0);
}

/* Resident bytes of what is not to have huge pages. */
static size_t in_small_pages(void)
{
    char line[512];
    size_t kib = 0, sum = 0;
    FILE *file = fopen("/proc/self/smaps", "r");
    while (fgets(line, sizeof(line), file)) {
        sscanf(line, "Rss: %zu kB", &kib);
        if (strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " nh"))
            sum += kib * 1024;
    }
    fclose(file);
    return sum;
}

/* A huge page would be cleared by whoever comes upon it first. */
static void check_own_needs(void)
{
    size_t before = in_small_pages();
    struct block *blocks = grow(LOAD);
    assert_in_range(in_small_pages(), before + 16 * PAGE, before + LOAD / 16);
    check_and_free(blocks);
}

static void what_the_allocator_keeps_lies_in_small_pages(void **state)
{
    (void)state;
    if (with_huge_pages())
        run_joined(check_own_needs);
}

/* Nobody knows which page of a buffer's memory has gone back before it is written anew. */
static void check_buffers_pages(void)
{
    char *buffers[40];
    size_t before = in_small_pages();
    for (size_t i = 0; i < 40; i++)
        memset(buffers[i] = mem_alloc_passing(MIB), 1, MIB);
    assert_true(in_small_pages() >= before + 40 * MIB);
    for (size_t i = 0; i < 40; i++)
        mem_free(buffers[i]);
}

static void buffers_lie_in_small_pages(void **state)
{
    (void)state;
    if (with_huge_pages())
        run_joined(check_buffers_pages);
}

/* The calling thread, and those that it makes, are told EPERM. */
static void refuse_to_map(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    refuse(&(struct sock_fprog){sizeof(code) / sizeof(code[0]), code});
}

static void *join_and_grow(void *arg)
{
    unsigned before, after;
    size_t len = sizeof(before);
    (void)arg;
    assert_int_equal(mallctl("thread.arena", &before, &len, NULL, 0), 0);
    refuse_to_map();
    mem_ahead_join();
    assert_int_equal(mallctl("thread.arena", &after, &len, NULL, 0), 0);
    assert_int_not_equal(after, before);
    check_and_free(grow(LOAD));
    mem_free(mem_alloc(20 * MIB));
    mem_free(mem_alloc_passing(20 * MIB));
    return NULL;
}

static void grow_in_another_thread(void)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, join_and_grow, NULL), 0);
    pthread_join(thread, NULL);
}

/* That would wait while a page is being cleared. */
static void who_grows_maps_no_memory(void **state)
{
    (void)state;
    if (with_huge_pages())
        run_joined(grow_in_another_thread);
}

/* Of this process's thread with that name, which it has a moment after it has begun. */
static pid_t thread_named(const char *name)
{
    for (int i = 0; i < WAIT_MAX; i++, usleep(1000)) {
        pid_t found = 0;
        DIR *threads = opendir("/proc/self/task");
        for (struct dirent *entry; !found && (entry = readdir(threads));) {
            char path[64], comm[32] = "";
            snprintf(path, sizeof(path), "/proc/self/task/%.20s/comm", entry->d_name);
            FILE *file = fopen(path, "r");
            if (file && fgets(comm, sizeof(comm), file) && strcspn(comm, "\n") == strlen(name) &&
                strncmp(comm, name, strlen(name)) == 0)
                found = (pid_t)atoi(entry->d_name);
            if (file)
                fclose(file);
        }
        closedir(threads);
        if (found)
            return found;
    }
    fail_msg("no thread is named %s", name);
    return 0;
}

static void *pinned_grow(void *processor)
{
    assert_int_equal(sched_setaffinity(0, sizeof(cpu_set_t), processor), 0);
    mem_ahead_join();
    check_and_free(grow(LOAD));
    return NULL;
}

static void check_makes_way(void)
{
    cpu_set_t all, first, seen;
    pthread_t thread;
    int processor = 0;
    assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
    while (!CPU_ISSET(processor, &all))
        processor++;
    CPU_ZERO(&first);
    CPU_SET(processor, &first);
    pid_t clearing = thread_named("pages");
    assert_int_equal(sched_setaffinity(clearing, sizeof(first), &first), 0);
    assert_int_equal(pthread_create(&thread, NULL, pinned_grow, &first), 0);
    pthread_join(thread, NULL);
    wait_until_ready(2 * MIB);
    assert_int_equal(sched_getaffinity(clearing, sizeof(seen), &seen), 0);
    CPU_CLR(processor, &all);
    assert_true(CPU_EQUAL(&seen, CPU_COUNT(&all) ? &all : &first));
}

/* Also where the kernel has put it there: on a machine of one processor it stays. */
static void who_clears_leaves_the_processor_of_who_grows(void **state)
{
    (void)state;
    if (with_huge_pages())
        run_joined(check_makes_way);
}

#define SPOTS 200

/* Sizes of no whole number of pages, by turns. */
static void check_apart(void)
{
    char *kept[SPOTS], *buffers[SPOTS];
    size_t sizes[SPOTS];
    for (size_t i = 0; i < SPOTS; i++) {
        sizes[i] = (size_t)40 * 1024 + i * 99991 % (3 * MIB);
        kept[i] = mem_alloc((size_t)100 * 1024);
        buffers[i] = mem_alloc_passing(sizes[i]);
    }
    for (size_t i = 0; with_huge_pages() && i < SPOTS; i++)
        for (size_t n = 0; n < SPOTS; n++)
            assert_false((uintptr_t)kept[n] / (2 * MIB) >= (uintptr_t)buffers[i] / (2 * MIB) &&
                         (uintptr_t)kept[n] / (2 * MIB) <=
                             (uintptr_t)(buffers[i] + sizes[i] - 1) / (2 * MIB));
    for (size_t i = 0; i < SPOTS; i++) {
        mem_free(kept[i]);
        mem_free(buffers[i]);
    }
}

static void pages_of_the_next_chunk_are_there_too(void **state)
{
    (void)state;
    if (with_huge_pages())
        run_in_fresh_arena(check_all_ahead);
}

#define GIB ((uintptr_t)1 << 30)

/* Only address space: nothing of it is touched. */
static void check_areas(void)
{
    enum { COUNT = 2000 };
    static char *blocks[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = mem_alloc(MIB);
        uintptr_t at = (uintptr_t)blocks[i], before = i ? (uintptr_t)blocks[i - 1] : at;
        assert_int_equal(at / GIB, (at + MIB - 1) / GIB);
        assert_true(at / GIB == before / GIB || at < before || at - before > 2 * MIB);
    }
    for (size_t i = 0; i < COUNT; i++)
        mem_free(blocks[i]);
}

/* What the allocator keeps for each, whoever crosses its border has to have cleared. */
static void memory_goes_over_no_border_of_a_gigabyte(void **state)
{
    (void)state;
    if (with_huge_pages())
        run_in_fresh_arena(check_areas);
}

static void buffers_share_no_page_with_what_stays(void **state)
{
    (void)state;
    run_in_fresh_arena(check_apart);
}

/* Another allocator's memory is none of ours, nor is jemalloc's without huge pages. */
static void check_nothing_ahead(void)
{
    struct block *blocks = grow(LOAD);
    assert_int_equal(mem_ahead_ready(), 0);
    check_and_free(blocks);
}

static void pages_are_there_before_they_are_touched(void **state)
{
    (void)state;
    run_in_fresh_arena(with_huge_pages() ? check_ahead : check_nothing_ahead);
}

/* A thread that only frees has no state in jemalloc until some is made, in the first arena: not
 * while that is locked. The main thread has that arena. */
static void *free_all(void *blocks)
{
    check_and_free(blocks);
    return NULL;
}

static void check_foreign_free(void)
{
    pthread_t thread;
    struct block *blocks = grow(LOAD);
    assert_int_equal(pthread_create(&thread, NULL, free_all, blocks), 0);
    pthread_join(thread, NULL);
}

static void a_thread_that_only_frees_comes_to_an_end(void **state)
{
    (void)state;
    run_joined(check_foreign_free);
}

/* As on Linux before 5.14: of this thread, and those that it makes. */
static void refuse_to_populate(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 23, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 22),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    refuse(&(struct sock_fprog){sizeof(code) / sizeof(code[0]), code});
}

static void *on_an_older_kernel(void *arg)
{
    (void)arg;
    refuse_to_populate();
    run_in_fresh_arena(check_load_goes_back);
    return NULL;
}

static void an_older_kernel_does_without(void **state)
{
    (void)state;
    pthread_t thread;
    size_t ready = mem_ahead_ready();
    assert_int_equal(pthread_create(&thread, NULL, on_an_older_kernel, NULL), 0);
    pthread_join(thread, NULL);
    assert_true(mem_ahead_ready() <= ready);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First: the others leave a process behind that has got much. */
        cmocka_unit_test(the_next_page_is_there_however_little_is_in_use),
        cmocka_unit_test(while_memory_grows_fast_more_is_there),
        cmocka_unit_test(who_grows_maps_no_memory),
        cmocka_unit_test(who_clears_leaves_the_processor_of_who_grows),
        cmocka_unit_test(memory_is_usable_and_goes_back),
        cmocka_unit_test(cleared_memory_is_zero),
        cmocka_unit_test(pages_are_there_before_they_are_touched),
        cmocka_unit_test(pages_of_the_next_chunk_are_there_too),
        cmocka_unit_test(memory_goes_over_no_border_of_a_gigabyte),
        cmocka_unit_test(what_the_allocator_keeps_lies_in_small_pages),
        cmocka_unit_test(buffers_lie_in_small_pages),
        cmocka_unit_test(buffers_share_no_page_with_what_stays),
        cmocka_unit_test(a_thread_that_only_frees_comes_to_an_end),
        cmocka_unit_test(an_older_kernel_does_without),
    };
    mem_part_passing();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

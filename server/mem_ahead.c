/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * jemalloc asks for address space in steps, through a hook of ours that hands out big chunks of it
 * from their starts on, to all loops' arenas alike: so what will be touched next is known to be
 * what comes next there. Nothing comes back: jemalloc keeps address space, and returns pages alone.
 *
 * Buffers come and go, and what they get next may have gone back: nobody knows it, so there the
 * pages are small.
 *
 * The mutex is held over no system call of the thread that clears but that by which a page goes
 * back: nobody may be given it meanwhile.
 */
#include "server/mem_ahead.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "ops/mem.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

#define PAGE        ((size_t)4096)
#define HUGE        ((size_t)2 << 20)
#define STEP        HUGE
#define CHUNK       (128 * HUGE)
#define AREA        ((size_t)1 << 30)
#define OWN_SIZE    (128 * HUGE) /* enough for some 12 GiB of values */
#define LARGE_SIZE  (AREA / 2)
#define AHEAD_MAX   (4 * HUGE)
#define AHEAD_SHARE 32 /* of what is in use, and a page at least; … */
#define HURRY_SHARE 4  /* … but while a space grows fast, clearing must not be overtaken: … */
#define HURRY_GAP   INT64_C(200) /* ms between its steps; … */
#define HURRY_LAST  INT64_C(500) /* … and for so long after them */

/* As in jemalloc's manual, "arena.<i>.extent_hooks". */
struct hooks {
    void *(*alloc)(struct hooks *hooks, void *at, size_t size, size_t align, bool *zero,
                   bool *commit, unsigned arena);
    bool (*dalloc)(struct hooks *hooks, void *at, size_t size, bool committed, unsigned arena);
    void *others[6]; /* destroy, commit, decommit, purge_lazy, purge_forced, split */
    bool (*merge)(struct hooks *hooks, void *a, size_t a_size, void *b, size_t b_size,
                  bool committed, unsigned arena);
};

struct space {
    char *at, *end;      /* what is left of the chunk */
    char *cleared;       /* up to here, or to `at`, by whoever has touched that */
    size_t used;         /* handed out, of all chunks */
    char *next;          /* the chunk that follows when there is little left of this; may be NULL */
    char *next_cleared;  /* of that, up to here */
    int64_t grew;        /* ms: the last time that it handed some out */
    int64_t hurry_until; /* ms */
};

/* Address space that is handed out from its start on. */
struct region {
    char *at, *end;
};

static struct {
    struct hooks hooks;
    pthread_mutex_t mutex;
    struct space space; /* the mutex */
    struct region area; /* for chunks; the mutex */
    /* Mapped once: a system call that maps memory would wait for the page that is being cleared,
     * for some 20 ms at times, and who holds a lock of jemalloc's would have others wait too. */
    struct region own;     /* for what jemalloc keeps for itself; the mutex */
    struct region large;   /* for more than AHEAD_MAX at once; the mutex */
    struct region buffers; /* for mem_alloc_passing; the mutex */
    unsigned passing;      /* the arena; none without has_passing */
    bool has_passing;
    atomic_int grows_on; /* the processor on which memory was asked for last */
    sem_t wake;
    pthread_t thread;
    bool started;
    atomic_bool ended;
} ahead = {.mutex = PTHREAD_MUTEX_INITIALIZER};

int mallctl(const char *name, void *old, size_t *old_len, void *new_value, size_t new_len)
    __attribute__((weak));

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static char *round_up(char *at, size_t to)
{
    return at + (-(uintptr_t)at & (to - 1));
}

/* NULL: there is none. Address space costs nothing, so there is more, to align in. */
static char *map(size_t size, size_t align, int advice)
{
    size_t all = align > PAGE ? size + align : size;
    char *at =
        mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    madvise(at, all, advice);
    return round_up(at, align);
}

/* Of nothing, if `at` is NULL. */
static struct region region_at(char *at, size_t size)
{
    return (struct region){at, at ? at + size : NULL};
}

/* NULL: it is more than is left. */
static char *cut_region(struct region *region, size_t size, size_t align)
{
    size_t left = (size_t)(region->end - region->at), gap = -(uintptr_t)region->at & (align - 1);
    if (gap > left || size > left - gap)
        return NULL;
    char *got = region->at + gap;
    region->at = got + size;
    return got;
}

static size_t left_in(const struct space *space)
{
    return (size_t)(space->end - space->at);
}

/*
 * Address space that nobody may use yet, a whole GiB of it: jemalloc keeps 2 MiB for each, which
 * lie in a huge page, so the first who has memory of another GiB has that cleared. NULL: none.
 */
static char *reserve_area(void)
{
    char *all = mmap(NULL, 2 * AREA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED)
        return NULL;
    char *at = round_up(all, AREA), *end = all + 2 * AREA;
    if (at > all)
        munmap(all, (size_t)(at - all));
    if (end > at + AREA)
        munmap(at + AREA, (size_t)(end - at) - AREA);
    return at;
}

/* The mutex is held. NULL: the area is used up. */
static char *cut_chunk(void)
{
    return cut_region(&ahead.area, CHUNK, HUGE);
}

/* NULL: it cannot be. */
static char *open_memory(char *at, size_t size, int advice)
{
    if (!at || mprotect(at, size, PROT_READ | PROT_WRITE) < 0)
        return NULL;
    madvise(at, size, advice);
    return at;
}

static char *open_chunk(char *chunk)
{
    return open_memory(chunk, CHUNK, MADV_HUGEPAGE);
}

static bool begin_chunk(struct space *space)
{
    if (!space->next) {
        if (ahead.area.at == ahead.area.end)
            ahead.area = region_at(reserve_area(), AREA);
        space->next = space->next_cleared = open_chunk(cut_chunk());
    }
    if (!space->next)
        return false;
    space->at = space->next;
    space->end = space->next + CHUNK;
    space->cleared = space->next_cleared;
    space->next = NULL;
    return true;
}

static void note_growth(struct space *space)
{
    int64_t now = now_ms();
    if (now - space->grew < HURRY_GAP)
        space->hurry_until = now + HURRY_LAST;
    space->grew = now;
}

/* NULL: it is more than is left. There is a new chunk only when less than a usual step is left of
 * the one before. */
static char *cut(struct space *space, size_t size)
{
    size_t left = left_in(space);
    if (size > left && left >= STEP)
        return NULL;
    if (size > left && !begin_chunk(space))
        return NULL;
    char *got = space->at;
    space->at += size;
    space->used += size;
    note_growth(space);
    return got;
}

/* The mutex is held. NULL: there is none left there. */
static char *take(size_t size, size_t align, bool passes)
{
    /* What is aligned to more is what jemalloc keeps for itself: some 2 MiB for 100 of slabs. A
     * loop touches it as it goes, so it has small pages. */
    if (align > PAGE)
        return cut_region(&ahead.own, size, align);
    if (passes)
        return cut_region(&ahead.buffers, size, PAGE);
    if (size > AHEAD_MAX) /* nobody touches that much at once */
        return cut_region(&ahead.large, size, HUGE);
    return cut(&ahead.space, size);
}

static void *on_alloc(struct hooks *hooks, void *at, size_t size, size_t align, bool *zero,
                      bool *commit, unsigned arena)
{
    bool passes = ahead.has_passing && arena == ahead.passing;
    (void)hooks;
    if (at)
        return NULL; /* nobody may choose */
    pthread_mutex_lock(&ahead.mutex);
    char *got = take(size, align, passes);
    pthread_mutex_unlock(&ahead.mutex);
    *zero = *commit = true;
    if (!got)
        return map(size, align, align > PAGE || passes ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
    atomic_store_explicit(&ahead.grows_on, sched_getcpu(), memory_order_relaxed);
    sem_post(&ahead.wake);
    return got;
}

/* Two neighbours may be one. jemalloc's own hook says so, too, but has the calling thread's state
 * made first where there is none, as that of a thread that only frees: by an allocation, which
 * waits for the lock that the thread holds here. (5.3.0) */
static bool on_merge(struct hooks *hooks, void *a, size_t a_size, void *b, size_t b_size,
                     bool committed, unsigned arena)
{
    (void)hooks, (void)a, (void)a_size, (void)b, (void)b_size, (void)committed, (void)arena;
    return false;
}

static size_t wanted_ahead(const struct space *space)
{
    size_t share = space->used / (now_ms() < space->hurry_until ? HURRY_SHARE : AHEAD_SHARE);
    size_t least = space->used ? HUGE : 0;
    return share < least ? least : share < AHEAD_MAX ? share : AHEAD_MAX;
}

/* Its first page is cleared before it is known when the chunk before it is given up. */
static bool needs_next(const struct space *space)
{
    return space->end && left_in(space) <= AHEAD_MAX - HUGE && wanted_ahead(space);
}

/* NULL: enough is cleared. The mutex is held. */
static char *page_in(struct space *space)
{
    char *begun = space->at - ((uintptr_t)space->at & (HUGE - 1));
    size_t more = wanted_ahead(space), left = left_in(space);
    if (space->cleared < begun)
        space->cleared = begun;
    if (space->cleared + HUGE <= space->at + (more < left ? more : left))
        return space->cleared;
    if (!needs_next(space) || !space->next)
        return NULL;
    size_t there = more > left + HUGE ? more - left : HUGE;
    return space->next_cleared + HUGE <= space->next + there ? space->next_cleared : NULL;
}

/* NULL: enough is cleared. */
static char *next_page(void)
{
    pthread_mutex_lock(&ahead.mutex);
    char *page = page_in(&ahead.space);
    pthread_mutex_unlock(&ahead.mutex);
    return page;
}

static void note_cleared(struct space *space, char *page)
{
    pthread_mutex_lock(&ahead.mutex);
    if (space->cleared == page)
        space->cleared += HUGE;
    else if (space->next && space->next_cleared == page)
        space->next_cleared += HUGE;
    pthread_mutex_unlock(&ahead.mutex);
}

/* The page that was cleared last, if it is more than is wanted. False: it is not. */
static bool give_back(struct space *space)
{
    pthread_mutex_lock(&ahead.mutex);
    bool surplus = space->cleared && space->cleared >= space->at + HUGE &&
                   space->cleared > space->at + wanted_ahead(space) &&
                   madvise(space->cleared - HUGE, HUGE, MADV_DONTNEED) == 0;
    if (surplus)
        space->cleared -= HUGE;
    pthread_mutex_unlock(&ahead.mutex);
    return surplus;
}

/* Until memory is handed out, or a space that grew fast has not for a while. */
static void wait_for_growth(void)
{
    pthread_mutex_lock(&ahead.mutex);
    int64_t until = ahead.space.hurry_until;
    pthread_mutex_unlock(&ahead.mutex);
    if (until <= now_ms()) {
        sem_wait(&ahead.wake);
    } else {
        struct timespec t = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
        sem_clockwait(&ahead.wake, CLOCK_MONOTONIC, &t);
    }
}

/* False: there is no address space left. */
static bool provide_chunk(struct space *space)
{
    pthread_mutex_lock(&ahead.mutex);
    bool wanted = needs_next(space) && !space->next;
    char *chunk = wanted ? cut_chunk() : NULL;
    pthread_mutex_unlock(&ahead.mutex);
    if (!wanted)
        return true;
    if (!chunk) {
        char *area = reserve_area();
        pthread_mutex_lock(&ahead.mutex);
        bool used_up = ahead.area.at == ahead.area.end; /* still: a loop may have been here */
        if (used_up)
            ahead.area = region_at(area, AREA);
        chunk = cut_chunk();
        pthread_mutex_unlock(&ahead.mutex);
        if (!used_up && area)
            munmap(area, AREA);
    }
    chunk = open_chunk(chunk);
    pthread_mutex_lock(&ahead.mutex);
    space->next = space->next_cleared = chunk;
    pthread_mutex_unlock(&ahead.mutex);
    return chunk != NULL;
}

/*
 * Off the processor of whoever grows, if there is another: the kernel wakes a thread beside who
 * woke it, also where another processor is idle, and gives that up for nobody while it clears.
 */
static void make_way(void)
{
    int processor = atomic_load_explicit(&ahead.grows_on, memory_order_relaxed);
    cpu_set_t others;
    if (sched_getcpu() != processor || sched_getaffinity(getpid(), sizeof(others), &others) < 0)
        return;
    CPU_CLR(processor, &others);
    if (CPU_COUNT(&others))
        sched_setaffinity(0, sizeof(others), &others);
}

/* A page at a time, since others may have gone past it meanwhile. */
static void *clear_ahead(void *arg)
{
    (void)arg;
    pthread_setname_np(pthread_self(), "pages");
    while (!atomic_load(&ahead.ended)) {
        if (!provide_chunk(&ahead.space))
            return NULL;
        char *page = next_page();
        if (page)
            make_way();
        if (!page && !give_back(&ahead.space))
            wait_for_growth();
        else if (!page)
            continue;
        else if (madvise(page, HUGE, MADV_POPULATE_WRITE) == 0)
            note_cleared(&ahead.space, page);
        else if (errno != EINTR && errno != EAGAIN)
            break; /* an older kernel, or no memory: it will say more about that by itself */
    }
    return NULL;
}

static bool huge_and_kept(void)
{
    const char *thp;
    bool kept;
    size_t thp_len = sizeof(thp), kept_len = sizeof(kept);
    return mallctl && mallctl("opt.thp", &thp, &thp_len, NULL, 0) == 0 &&
           strcmp(thp, "always") == 0 && mallctl("opt.retain", &kept, &kept_len, NULL, 0) == 0 &&
           kept;
}

static bool make_hooks(void)
{
    struct hooks *theirs;
    size_t len = sizeof(theirs);
    if (ahead.hooks.alloc)
        return true;
    if (mallctl("arena.0.extent_hooks", &theirs, &len, NULL, 0) != 0)
        return false;
    ahead.hooks = *theirs;
    ahead.hooks.alloc = on_alloc;
    ahead.hooks.dalloc = NULL; /* nothing is unmapped */
    ahead.hooks.merge = on_merge;
    ahead.own = region_at(map(OWN_SIZE, HUGE, MADV_NOHUGEPAGE), OWN_SIZE);
    char *area = reserve_area();
    char *rest = area ? area + LARGE_SIZE : NULL;
    ahead.large = region_at(open_memory(area, LARGE_SIZE, MADV_HUGEPAGE), LARGE_SIZE);
    ahead.buffers =
        region_at(open_memory(rest, AREA - LARGE_SIZE, MADV_NOHUGEPAGE), AREA - LARGE_SIZE);
    ahead.has_passing = mem_passing_arena(&ahead.passing);
    return true;
}

static void limit_steps(unsigned arena)
{
    size_t step = STEP;
    char name[64];
    snprintf(name, sizeof(name), "arena.%u.retain_grow_limit", arena);
    mallctl(name, NULL, NULL, &step, sizeof(step));
}

static void join_passing(void)
{
    struct hooks *hooks = &ahead.hooks;
    char name[64];
    limit_steps(ahead.passing);
    snprintf(name, sizeof(name), "arena.%u.extent_hooks", ahead.passing);
    mallctl(name, NULL, NULL, &hooks, sizeof(hooks));
    /* What jemalloc keeps for this GiB it maps when it first has memory there: now. */
    mem_free(mem_alloc_passing(HUGE));
}

void mem_ahead_start(void)
{
    if (ahead.started || !huge_and_kept() || !make_hooks())
        return;
    sem_init(&ahead.wake, 0, 0);
    atomic_store(&ahead.ended, false);
    ahead.started = pthread_create(&ahead.thread, NULL, clear_ahead, NULL) == 0;
    if (ahead.started && ahead.has_passing)
        join_passing();
}

/* A new one, since an arena keeps what it began with for its own needs. */
void mem_ahead_join(void)
{
    struct hooks *hooks = &ahead.hooks;
    unsigned arena;
    size_t len = sizeof(arena);
    if (!ahead.started || mallctl("arenas.create", &arena, &len, &hooks, sizeof(hooks)) != 0)
        return;
    limit_steps(arena);
    mallctl("thread.arena", NULL, NULL, &arena, sizeof(arena));
}

void mem_ahead_stop(void)
{
    if (!ahead.started)
        return;
    atomic_store(&ahead.ended, true);
    sem_post(&ahead.wake);
    pthread_join(ahead.thread, NULL);
    ahead.started = false;
}

size_t mem_ahead_ready(void)
{
    const struct space *space = &ahead.space;
    pthread_mutex_lock(&ahead.mutex);
    size_t ready = space->cleared > space->at ? (size_t)(space->cleared - space->at) : 0;
    ready += space->next ? (size_t)(space->next_cleared - space->next) : 0;
    pthread_mutex_unlock(&ahead.mutex);
    return ready;
}

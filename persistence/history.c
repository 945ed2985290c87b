/* SPDX-License-Identifier: BSD-3-Clause */
/* See history.h. */
#include "persistence/history.h"

#include "persistence/overtaken.h"
#include "persistence/run.h"

static bool open_runs(struct loader_objects *objects, struct head *head, uint64_t commits,
                      struct text *error)
{
    struct fold_store store = loader_fold_store(objects);
    const struct head_run *run;
    struct text body = {0};
    bool fine = true;
    while (fine && head->tail_count < commits && (run = run_next(head)))
        fine = store.read(store.ctx, run->object, &body, error) &&
               run_open(head, text_slice(&body), error);
    text_release(&body);
    return fine;
}

enum loader_result history_read(const struct loader_options *options, uint64_t commits,
                                struct loaded *ret_loaded, struct text *error)
{
    struct loader_objects objects;
    struct text reason = {0};
    enum loader_result result;
    bool again;
    int attempts = 0;
    do {
        text_clear(&reason);
        loader_objects_init(&objects, options->store, options->namespace);
        again = false;
        result = loader_head(options, ret_loaded, &reason);
        if (result != LOADER_OK || open_runs(&objects, &ret_loaded->head, commits, &reason))
            break;
        loaded_release(ret_loaded);
        again = loader_superseded(&objects);
        result = objects.unreachable ? LOADER_UNREACHABLE : LOADER_CORRUPT;
    } while (again && ++attempts < OVERTAKEN_ATTEMPTS);
    if (again) {
        result = LOADER_UNREACHABLE;
        text_append_format(error, "%s: %s", objects.namespace, OVERTAKEN_AGAIN);
    } else {
        text_append_slice(error, text_slice(&reason));
    }
    text_release(&reason);
    return result;
}

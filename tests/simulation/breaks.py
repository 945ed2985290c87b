#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Breaks the core in many ways, one at a time, in a copy of the tree, and runs the simulation on
each: a break that no seed catches is a hole in the proof. Prints a table for docs/verification.md.

    tests/simulation/breaks.py [SEEDS [WORDS|WORDS …]]      builds in $BUILD/breaks (default build/breaks)
"""
import os
import re
import shutil
import subprocess
import sys

CORE = "persistence/sync_core.c"
RECEIVE = "persistence/sync_receive.c"
REPLICAS = "persistence/sync_replicas.c"
REBASE = "persistence/rebase.c"
RECOVERY = "persistence/recovery.c"
TIDY = "persistence/tidy.c"
REPLICA = "tests/simulation/sim_replica.c"
SEAT = "tests/simulation/sim_seat.c"

# What is broken, where, the text, what it becomes.
BREAKS = [
    ("pending ops are not undone before theirs", REBASE,
     "    inverse_undo(r->ks, held->undo);", "    inverse_destroy(held->undo);"),
    ("undone in the order they were applied", REBASE,
     "        if (!r->all_lifted)\n            undo_held(r, held);\n        held->lifted = lifted;\n"
     "        lifted_add(lifted, held);\n    }\n",
     "        held->lifted = lifted;\n        lifted_add(lifted, held);\n    }\n"
     "    for (size_t i = lifted->count; !r->all_lifted && i-- > 0;)\n        undo_held(r, lifted->list[i]);\n"),
    ("ours are not applied again", REBASE,
     "        if (!all)\n            run_again_key(r, lifted);", "        (void)run_again_key;"),
    ("a pending clear does not tie keys together", REBASE,
     "    if (r->clears)\n        lift_all(r);", ""),
    ("their clear leaves ours where they are", REBASE, "        lift_all(r);\n    } else {", "    } else {"),
    ("theirs run at their own time", REBASE,
     "    op->time = later(r->clock, op->time);\n    set_clock(r, op->time);", "    set_clock(r, later(r->clock, op->time));"),
    ("a clock that moved does not matter to ours", REBASE,
     "    lift_overtaken(r);\n    bool", "    (void)lift_overtaken;\n    bool"),
    ("a reload keeps ops that are committed", REBASE,
     "while ((held = r->queue.first) && held->number <=", "while ((held = r->queue.first) && false && held->number <="),
    ("the head's entry for us is not looked at", REPLICAS,
     "        if (done < batch->first)\n            return NULL;",
     "        if (done + 1 > 0)\n            return NULL;"),
    ("a batch that landed in part counts as landed", REPLICAS,
     "        if (done < batch->first + batch->count - 1)", "        if (false)"),
    ("an unknown outcome counts as success", CORE,
     "    } else if (result == STORE_OK) {\n        finish_swap(core, etag);",
     "    } else if (result == STORE_OK || (core->phase == PHASE_SWAP && result == STORE_UNKNOWN)) {\n"
     "        finish_swap(core, etag);"),
    ("a refused swap counts as success", CORE,
     "    } else if (result == STORE_OK) {\n        finish_swap(core, etag);",
     "    } else if (result == STORE_OK || (core->phase == PHASE_SWAP && result == STORE_PRECONDITION)) {\n"
     "        finish_swap(core, etag);"),
    ("a loser waits for a minute", CORE,
     "core->retry_at = now + (int64_t)(settings->random", "core->retry_at = now + 60000 + (int64_t)(settings->random"),
    ("what was not modified is not looked at again", CORE,
     "    assert(core->settings.shared);\n    core->poll = true;",
     "    core->poll = core->position == 0;"),
    ("an unknown outcome counts as failure, and is sent under new numbers", CORE,
     "enum store_result result, const char *error)\n{\n    const struct",
     "enum store_result result, const char *error)\n{\n"
     "    if (core->placed)\n"
     "        head_set_replica(&core->head, slice_of(core->queue->replica),\n"
     "                         core->queue->first + core->queue->count - 1);\n"
     "    if (core->placed)\n        core->queue->first += core->queue->count;\n    const struct"),
    ("the head is put without a condition", CORE,
     "core->etag[0] ? STORE_IF_MATCH : STORE_IF_ABSENT", "STORE_ALWAYS"),
    ("the first head is put without a condition", CORE,
     "core->etag[0] ? STORE_IF_MATCH : STORE_IF_ABSENT", "core->etag[0] ? STORE_IF_MATCH : STORE_ALWAYS"),
    ("merged batches keep the text of the first", CORE,
     "        batch->gone_bytes += next->gone_bytes;\n        text_clear(&batch->json);", ""),
    ("batches of different lives are merged", CORE,
     "strcmp(next->replica, batch->replica) == 0 &&\n           next->first == batch->first + batch->count &&",
     "true &&"),
    ("a batch is merged though its segment is uploaded, which is kept", CORE,
     "    if (batch->segment[0] && batch->uploaded && !is_old(core, batch->named, now))\n"
     "        return;", "    (void)now;",
     CORE, "        batch->segment[0] = '\\0';\n        batch->next = next->next;",
     "        batch->next = next->next;"),
    ("entries of dead lives go while their ops are pending", REPLICAS,
     "is_queued(core, entry->name))", "(is_queued(core, entry->name) && false))",
     SEAT, "    if (!old)\n", "    if (old || !old)\n"),
    ("a fold that lost its race is put all the same", "persistence/head.c",
     "if (!head_hash_at(head, base->position, hash) || strcmp(hash, base->hash) != 0)", "if (false)"),
    ("the first commit after our position is skipped", RECEIVE,
     "core->fetch_at = (size_t)(core->position - (head->position - head->tail_count));",
     "core->fetch_at = (size_t)(core->position + 1 - (head->position - head->tail_count));"),
    ("a fold past our position is taken as no change", RECEIVE,
     "    if (folded) {\n        head_release(head);\n        core->phase = PHASE_RELOAD;\n        return;\n    }",
     "    if (folded)\n        core->position = head->base.position;"),
    ("commits of a dead life are taken for pending whole", RECEIVE,
     "    return next > last;", "    return next > commit->first || next > last;"),
    ("a segment is believed without its sum", "persistence/commit.c",
     "    if (body.len != bytes) {", "    if (bytes) return true;\n    if (body.len != bytes) {"),
    ("a truncated head is believed", "persistence/head.c",
     "if (!check_format(body, error) || !check_sum(body, error))", "if (!check_format(body, error))"),
    ("the journal's ops are sent whole though a part is committed", RECOVERY,
     "        if (batch->first <= done &&", "        if (false && batch->first <= done &&"),
    ("what the head has of the journal is applied again", RECOVERY,
     "        if (batch->first + batch->count - 1 <= done) {", "        if (false) {"),
    ("a new start reuses its incarnation", REPLICA,
     '"%s/%u", r->name, r->epoch);', '"%s/%u", r->name, r->epoch ? 1u : 0u);'),
    ("ops from the journal are renumbered under the new incarnation", REPLICA,
     "memcpy(header.incarnation, item->life->name,", "memcpy(header.incarnation, r->incarnation,"),
    ("the journal lets go before the commit is known", SEAT,
     "    return replica_survives(s->replica, SIM_CRASH_PUSHED);",
     "    journal_let_go(s->replica, s->life, UINT64_MAX);\n    return replica_survives(s->replica, SIM_CRASH_PUSHED);"),
    ("keys are dropped as soon as this clock has passed them", SEAT,
     "        keyspace_expire(s->ks, replica_clock(s->replica), 100, &looked);",
     "        keyspace_set_floor(s->ks, INT64_MAX);\n        keyspace_expire(s->ks, replica_clock(s->replica), 100, &looked);"),
    ("what the journal has of one namespace goes to another", RECOVERY,
     "        if (slice_equal(slice_of(recovery->items[i].namespace), name))", "        if (name.data)"),
    ("an object is removed though the head names it", TIDY,
     "    if (head_objects_have(&tidy->named, object)) {", "    if (made == 0 && head_objects_have(&tidy->named, object)) {"),
    ("an orphan is removed though its upload is young", TIDY,
     "    if (!stray->ours && (now - made < rules->orphan_age || now - stray->since < rules->pause))", "    if (!stray->ours && now < made)"),
    ("an object counts as dropped from when a fold was offered", TIDY,
     "            strays_add(strays, head->base.chunks[i].object, 0, true);",
     "            strays_add(strays, head->base.chunks[i].object, 1, true);",
     TIDY, "            strays_add(strays, head->tail[i].segment, 0, true);",
     "            strays_add(strays, head->tail[i].segment, 1, true);"),
    ("orphans are never removed", TIDY, "    return now - stray->since >= rules->history || old;",
     "    return stray->ours && (now - stray->since >= rules->history || old);"),
    ("a fold is named however old its objects are", CORE,
     "        bool fresh = !is_old(core, core->base_began, now);", "        bool fresh = true;",
     CORE, "    return core->base_placed && is_old(core, core->base_began, now);", "    return false;"),
    ("a run is named however old it is", CORE,
     "    bool fresh = !is_old(core, core->run_began, now);", "    bool fresh = true;",
     CORE, "    if (core->run_placed && is_old(core, core->run_began, now))", "    if (false)"),
    ("a segment is named however old it is", CORE,
     "    if (batch && batch->segment[0] && is_old(core, batch->named, now))", "    if (false)",
     CORE, "        bool stale = batch->segment[0] && is_old(core, batch->named, now);", "        bool stale = false;",
     CORE, "    if (core->phase == PHASE_SEGMENT && is_old(core, core->queue->named, now))", "    if (false)"),
    ("a segment's age counts from its upload, not from its name", CORE,
     "        core->queue->uploaded = true;\n", "        core->queue->uploaded = true;\n        core->queue->named = now;\n",
     CORE, "    if (core->phase == PHASE_SEGMENT && is_old(core, core->queue->named, now))", "    if (false)"),
    ("a start whose entry has expired guesses", RECOVERY,
     "    return head->expired > batch->known && !head_replica(head, slice_of(batch->replica));",
     "    return batch->count == 0 && head->expired > batch->known;"),
    ("nobody notes that an entry has expired", REPLICAS,
     "            head_expire_replica(head, name);", "            head_drop_replica(head, name);"),
]


def run(tree, build, seeds):
    target = os.path.join(build, "tests/simulation/simulation")
    made = subprocess.run(["make", "-s", "-C", tree, "BUILD=" + build, "WARN=", "-j1", target],
                          capture_output=True, text=True)
    if made.returncode:
        return "does not build: " + made.stderr[-300:]
    try:
        done = subprocess.run([target, str(seeds), "1"], capture_output=True, timeout=300)
    except subprocess.TimeoutExpired:
        return "hangs"
    out = done.stdout.decode(errors="replace")
    seeds_caught = re.findall(r"seed (\d+) (?:failed|did not repeat)", out)
    why = re.findall(r"FAILED: (.*)", out)
    if "a process ended with status" in out:
        reason = re.findall(r"[^ ]*: Assertion.*", done.stderr.decode(errors="replace")) or ["no assertion (a signal)"]
        return "seeds %s: stops at %s" % (", ".join(seeds_caught[:3]), reason[0][:90])
    if not seeds_caught:
        return None
    return "seeds %s: %s" % (", ".join(seeds_caught[:3]), re.sub(r"[0-9]+", "n", why[0])[:90] if why else "")


def edit(tree, path, old, new):
    with open(os.path.join(tree, path)) as file:
        text = file.read()
    assert old in text, "%s has no such text: %s" % (path, old)
    with open(os.path.join(tree, path), "w") as file:
        file.write(text.replace(old, new, 1))


def main():
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    only = sys.argv[2] if len(sys.argv) > 2 else None
    chosen = [row for row in BREAKS if not only or any(word in row[0] for word in only.split("|"))]
    if not chosen:
        sys.exit("no break is described with '%s'" % only)
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    base = os.path.abspath(os.path.join(os.environ.get("BUILD", os.path.join(root, "build")), "breaks"))
    tree, build = os.path.join(base, "tree"), os.path.join(base, "build")
    shutil.rmtree(tree, ignore_errors=True)
    os.makedirs(tree)
    for name in ("Makefile", "ops", "persistence", "resp", "server", "tests"):
        source = os.path.join(root, name)
        (shutil.copytree if os.path.isdir(source) else shutil.copy2)(source, os.path.join(tree, name))
    for _, *edits in BREAKS:  # an earlier run may have left broken objects behind
        for path in edits[::3]:
            os.utime(os.path.join(tree, path))
    missed = 0
    for what, *edits in chosen:
        changed = [edits[i:i + 3] for i in range(0, len(edits), 3)]
        for path, old, new in changed:
            edit(tree, path, old, new)
        caught = run(tree, build, seeds)
        missed += caught is None or caught.startswith("does not build")
        print("| %s | %s |" % (what, caught or "NOT CAUGHT"), flush=True)
        for path, _, _ in changed:
            shutil.copyfile(os.path.join(root, path), os.path.join(tree, path))
    print("%d passed, %d failed" % (len(chosen) - missed, missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

/* SPDX-License-Identifier: BSD-3-Clause */
/* The document of --export and --import: there and back, and what is none is refused. */
#include "persistence/document.h"

#include "tests/persistence/codec_support.h"

#define NOW 1795212345678

static const struct fold_options tiny = {.chunk_size = 300, .inline_limit = 200};

static bool append(void *ctx, struct slice piece, struct text *error)
{
    (void)error;
    text_append_slice(ctx, piece);
    return true;
}

static void export_to(const struct head *head, struct objects *objects, struct text *out)
{
    struct fold_store store = objects_store(objects);
    struct text error = {0};
    text_clear(out);
    if (!document_export(head, &store, append, out, &error))
        fail_msg("%s", text_terminated(&error));
}

static void import_as(struct slice document, struct objects *objects, struct head *head)
{
    struct fold_store store = objects_store(objects);
    struct text error = {0};
    struct head_base base;
    if (!document_import(document, &store, &tiny, &base, &error))
        fail_msg("%s", text_terminated(&error));
    head_init(head, slice_of("test"));
    assert_true(head_rebase(head, &base));
}

static void what_is_exported_comes_back_as_it_was(void **state)
{
    (void)state;
    struct random r = random_init();
    for (unsigned round = 0; round < 30; round++) {
        struct op_source source = {.random = &r, .keys = 50, .bytes_max = 90, .time = NOW};
        struct objects objects = {0};
        struct text out = {0}, again = {0};
        struct head head, copy;
        struct head_base base;
        struct fold_store store = objects_store(&objects);
        struct text error = {0};
        int64_t clock = 0, first, second;
        head_init(&head, slice_of("test"));
        for (unsigned i = 0; i < 20; i++)
            head_commit_random(&head, &objects, &source, NULL, &clock);
        assert_true(fold_run(&head, 12, &store, &tiny, &base, &error));
        assert_true(head_rebase(&head, &base));
        export_to(&head, &objects, &out);
        import_as(text_slice(&out), &objects, &copy);

        struct keyspace *a = keyspace_create(NULL), *b = keyspace_create(NULL);
        assert_true(fold_load(&head, &store, a, &first, &error));
        assert_true(fold_load(&copy, &store, b, &second, &error));
        keyspace_drop_expired(a, first);
        keyspace_drop_expired(b, first);
        assert_true(state_equal(a, b));
        keyspace_destroy(a);
        keyspace_destroy(b);

        copy.position = copy.base.position = head.position;
        export_to(&copy, &objects, &again);
        assert_true(slice_equal(text_slice(&out), text_slice(&again)));
        head_release(&head);
        head_release(&copy);
        objects_release(&objects);
        text_release(&out);
        text_release(&again);
    }
}

static void the_text_is_as_documented_in_any_layout(void **state)
{
    (void)state;
    struct objects objects = {0};
    struct text out = {0};
    struct head head;
    import_as(
        slice_of(" {\"state\" : {\"b\" :{\"expires\":9, \"set\" : [ \"2\",1 ]},\n\"a\":\"5\", "
                 "\"\\u00e9\\n\":\"x\"}, \"position\":12,\"namespace\":\"other\"}"),
        &objects, &head);
    export_to(&head, &objects, &out);
    assert_string_equal(text_terminated(&out),
                        "{\"namespace\":\"test\",\"position\":0,\"state\":{\n"
                        "\"a\":5,\n"
                        "\"b\":{\"set\":[1,2],\"expires\":9},\n"
                        "\"\xc3\xa9\\n\":\"x\"\n"
                        "}}\n");
    head_release(&head);
    import_as(slice_of("{\"state\":{}}"), &objects, &head);
    export_to(&head, &objects, &out);
    assert_string_equal(text_terminated(&out),
                        "{\"namespace\":\"test\",\"position\":0,\"state\":{\n}}\n");
    head_release(&head);
    text_release(&out);
    objects_release(&objects);
}

static void assert_refused(const char *document, const char *because)
{
    struct objects objects = {0};
    struct fold_store store = objects_store(&objects);
    struct text error = {0};
    struct head_base base;
    if (document_import(slice_of(document), &store, &tiny, &base, &error))
        fail_msg("accepted %s", document);
    if (!strstr(text_terminated(&error), because))
        fail_msg("%s: %s", text_terminated(&error), document);
    objects_release(&objects);
    text_release(&error);
}

static void what_is_no_document_is_refused_with_its_place(void **state)
{
    (void)state;
    assert_refused("", "at byte 0");
    assert_refused("[]", "expected an object at byte 0");
    assert_refused("{}", "no \"state\"");
    assert_refused("{\"state\":[]}", "expected an object at byte 9");
    assert_refused("{\"state\":{},\"state\":{}}", "\"state\" twice");
    assert_refused("{\"state\":{},\"more\":{}}", "unknown member");
    assert_refused("{\"state\":{\"a\":1,\"b\":2,\"a\":3}}", "at byte 26: its key was there before");
    assert_refused("{\"state\":{\"a\":{\"set\":[]}}}", "value at byte 14: a set without items");
    assert_refused("{\"state\":{\"a\":null}}", "value at byte 14");
    assert_refused("{\"state\":{\"a\":1}}}", "nothing more");
    assert_refused("{\"state\":{\"a\":1}", "expected ','");
}

static bool refuse(void *ctx, struct slice piece, struct text *error)
{
    (void)ctx, (void)piece;
    text_append_string(error, "no space left");
    return false;
}

static void an_export_that_cannot_be_written_says_so(void **state)
{
    (void)state;
    struct objects objects = {0};
    struct fold_store store = objects_store(&objects);
    struct text error = {0};
    struct head head;
    head_init(&head, slice_of("test"));
    assert_false(document_export(&head, &store, refuse, NULL, &error));
    assert_string_equal(text_terminated(&error), "no space left");
    head_release(&head);
    text_release(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_exported_comes_back_as_it_was),
        cmocka_unit_test(the_text_is_as_documented_in_any_layout),
        cmocka_unit_test(what_is_no_document_is_refused_with_its_place),
        cmocka_unit_test(an_export_that_cannot_be_written_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

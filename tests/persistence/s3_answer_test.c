/* SPDX-License-Identifier: BSD-3-Clause */
/* The XML that S3 answers with: what it says is taken, what it must not say is refused. */
#include "persistence/s3_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "persistence/s3_xml.h"

static bool append_visit(void *ctx, const char *path, struct slice content)
{
    text_append_format(ctx, "%s=%.*s;", path, (int)content.len, content.len ? content.data : "");
    return true;
}

static void assert_walked(const char *document, const char *expected)
{
    struct text seen = {0};
    bool ok = s3_xml_walk(slice_of(document), append_visit, &seen);
    if (expected) {
        assert_true(ok);
        assert_string_equal(text_terminated(&seen), expected);
    } else if (ok) {
        fail_msg("taken: %s", document);
    }
    text_release(&seen);
}

static void elements_and_text_are_read(void **state)
{
    (void)state;
    assert_walked(
        "<?xml version=\"1.0\"?>\n<a xmlns='x' b = \"&lt;>\"><b>1</b><c/>\n<!-- - --></a>\n",
        "a/b=1;a/c=;a=;");
    assert_walked("<s:a><s:b>x<![CDATA[<&>]]>y</s:b ></s:a>", "a/b=x<&>y;a=;");
}

static void entities_are_decoded(void **state)
{
    (void)state;
    assert_walked("<a>&lt;&gt;&amp;&quot;&apos;&#65;&#x42;&#xfc;&#x4E2D;&#128512;</a>",
                  "a=<>&\"'AB\xc3\xbc\xe4\xb8\xad\xf0\x9f\x98\x80;");
}

static void what_is_no_document_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "text",
                                      "<a>",
                                      "<a></b>",
                                      "</a>",
                                      "<a/><b/>",
                                      "<a>&foo;</a>",
                                      "<a>&#0;</a>",
                                      "<a>&#xD800;</a>",
                                      "<a>&#x110000;</a>",
                                      "<a>&#;</a>",
                                      "<a>&lt</a>",
                                      "<a b></a>",
                                      "<a b=c></a>",
                                      "<a b='></a>",
                                      "<a><!-- </a>",
                                      "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
                                      "<a>x</a>y",
                                      "<>",
                                      "<a/",
                                      "<a><![CDATA[x</a>",
                                      "<a b='1'c='2'/>",
                                      "< a/>",
                                      "&lt;<a/>",
                                      "<a>&#99999999999;</a>"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_walked(bad[i], NULL);
}

static void depth_is_bounded(void **state)
{
    struct text deep = {0};
    (void)state;
    for (int i = 0; i < 100000; i++)
        text_append_string(&deep, "<a>");
    assert_walked(text_terminated(&deep), NULL);
    text_release(&deep);
}

static const char page[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
    "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name>"
    "<Prefix>p&amp;q/</Prefix><IsTruncated>true</IsTruncated>"
    "<NextContinuationToken>1/+=&quot;</NextContinuationToken>"
    "<Contents><Key>p&amp;q/git.json</Key><LastModified>2026</LastModified>"
    "<ETag>&quot;9f3c&quot;</ETag><Size>12</Size></Contents>"
    "<Contents><Key>p&amp;q/../secret</Key><ETag>x</ETag><Size>1</Size></Contents>"
    "<Contents><Key>elsewhere/a</Key><ETag>x</ETag><Size>1</Size></Contents>"
    "<Contents><Key>p&amp;q/a b</Key><Size>1</Size></Contents>"
    "<CommonPrefixes><Prefix>p&amp;q/git/</Prefix></CommonPrefixes>"
    "<CommonPrefixes><Prefix>p&amp;q//</Prefix></CommonPrefixes>"
    "</ListBucketResult>";

static void a_page_gives_our_keys_alone(void **state)
{
    struct store_request request = {.verb = STORE_LIST};
    struct s3_page got = {0};
    (void)state;
    assert_true(s3_answer_list(slice_of(page), "p&q/", &request, &got));
    assert_int_equal(request.item_count, 2);
    assert_string_equal(request.items[0].key, "git.json");
    assert_string_equal(request.items[0].etag, "\"9f3c\"");
    assert_int_equal(request.items[0].size, 12);
    assert_string_equal(request.items[1].key, "git/");
    assert_true(request.items[1].is_prefix);
    assert_true(got.truncated);
    assert_true(slice_equal(text_slice(&got.token), slice_of("1/+=\"")));
    store_request_release(&request);
    s3_page_release(&got);
}

static void other_documents_are_no_page(void **state)
{
    static const char *const bad[] = {
        "<Error><Code>x</Code></Error>",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        "<ListBucketResult><Contents><Size>-1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Size>many</Size></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key>"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct store_request request = {.verb = STORE_LIST};
        struct s3_page got = {0};
        assert_false(s3_answer_list(slice_of(bad[i]), "", &request, &got));
        store_request_release(&request);
        s3_page_release(&got);
    }
}

static void errors_tell_code_and_message(void **state)
{
    struct s3_error error;
    (void)state;
    s3_answer_error(slice_of("<Error><Code>SlowDown</Code><Message>a\nb</Message></Error>"),
                    &error);
    assert_string_equal(error.code, "SlowDown");
    assert_string_equal(error.message, "a?b");
    s3_answer_error(slice_of("<html>busy"), &error);
    assert_string_equal(error.code, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_and_text_are_read),
        cmocka_unit_test(entities_are_decoded),
        cmocka_unit_test(what_is_no_document_is_refused),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(a_page_gives_our_keys_alone),
        cmocka_unit_test(other_documents_are_no_page),
        cmocka_unit_test(errors_tell_code_and_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* See s3_xml.h. The open elements are one path string and the lengths it had at each level. */
#include "persistence/s3_xml.h"

struct scanner {
    const char *cursor, *end;
    char path[S3_XML_PATH_MAX];
    size_t lengths[S3_XML_DEPTH_MAX];     /* of the path before each open element */
    struct slice names[S3_XML_DEPTH_MAX]; /* as written, prefix included */
    size_t path_len;
    unsigned depth;
    bool has_children; /* the element that ends next has elements inside */
    bool had_root;
    struct text content;
    s3_xml_visit *visit;
    void *ctx;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_name_char(char c, bool first)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':')
        return true;
    return !first && ((c >= '0' && c <= '9') || c == '-' || c == '.');
}

static void skip_space(struct scanner *s)
{
    while (s->cursor < s->end && is_space(*s->cursor))
        s->cursor++;
}

static bool take(struct scanner *s, const char *what)
{
    size_t len = strlen(what);
    if ((size_t)(s->end - s->cursor) < len || memcmp(s->cursor, what, len) != 0)
        return false;
    s->cursor += len;
    return true;
}

/* The bytes up to `what`, which is taken too. */
static bool take_until(struct scanner *s, const char *what, struct slice *ret_bytes)
{
    size_t left = (size_t)(s->end - s->cursor);
    const char *found = left ? memmem(s->cursor, left, what, strlen(what)) : NULL;
    if (!found)
        return false;
    *ret_bytes = slice_make(s->cursor, (size_t)(found - s->cursor));
    s->cursor = found + strlen(what);
    return true;
}

static bool take_name(struct scanner *s, struct slice *ret_name)
{
    const char *start = s->cursor;
    while (s->cursor < s->end && is_name_char(*s->cursor, s->cursor == start))
        s->cursor++;
    *ret_name = slice_make(start, (size_t)(s->cursor - start));
    return ret_name->len > 0;
}

static void append_utf8(struct text *out, uint32_t code)
{
    if (code < 0x80) {
        text_append_char(out, (char)code);
    } else if (code < 0x800) {
        text_append_char(out, (char)(0xC0 | code >> 6));
        text_append_char(out, (char)(0x80 | (code & 63)));
    } else if (code < 0x10000) {
        text_append_char(out, (char)(0xE0 | code >> 12));
        text_append_char(out, (char)(0x80 | (code >> 6 & 63)));
        text_append_char(out, (char)(0x80 | (code & 63)));
    } else {
        text_append_char(out, (char)(0xF0 | code >> 18));
        text_append_char(out, (char)(0x80 | (code >> 12 & 63)));
        text_append_char(out, (char)(0x80 | (code >> 6 & 63)));
        text_append_char(out, (char)(0x80 | (code & 63)));
    }
}

static int digit_value(char c, int base)
{
    int value = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : 16;
    return value < base ? value : -1;
}

/* What stands between "&#" and ";". */
static bool decode_number(struct slice digits, struct text *out)
{
    int base = 10;
    uint32_t code = 0;
    if (digits.len && digits.data[0] == 'x') {
        base = 16;
        digits = slice_make(digits.data + 1, digits.len - 1);
    }
    if (digits.len == 0 || digits.len > 8)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        int value = digit_value(digits.data[i], base);
        if (value < 0)
            return false;
        code = code * (uint32_t)base + (uint32_t)value;
        if (code > 0x10FFFF)
            return false;
    }
    if (code == 0 || (code >= 0xD800 && code <= 0xDFFF))
        return false;
    append_utf8(out, code);
    return true;
}

static bool decode_entity(struct scanner *s)
{
    static const struct {
        const char *name;
        char c;
    } entities[] = {{"lt;", '<'}, {"gt;", '>'}, {"amp;", '&'}, {"quot;", '"'}, {"apos;", '\''}};
    struct slice digits;
    if (take(s, "#"))
        return take_until(s, ";", &digits) && decode_number(digits, &s->content);
    for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]); i++) {
        if (take(s, entities[i].name)) {
            text_append_char(&s->content, entities[i].c);
            return true;
        }
    }
    return false;
}

/* Text up to the next '<'. Outside the root only space may stand. */
static bool read_text(struct scanner *s)
{
    while (s->cursor < s->end && *s->cursor != '<') {
        if (s->depth == 0 && !is_space(*s->cursor))
            return false;
        if (*s->cursor == '&') {
            s->cursor++;
            if (!decode_entity(s))
                return false;
        } else {
            const char *start = s->cursor;
            while (s->cursor < s->end && *s->cursor != '<' && *s->cursor != '&')
                if (s->depth == 0 && !is_space(*s->cursor))
                    return false;
                else
                    s->cursor++;
            if (s->depth)
                text_append(&s->content, start, (size_t)(s->cursor - start));
        }
    }
    return true;
}

static bool skip_attributes(struct scanner *s)
{
    struct slice name, value;
    for (;;) {
        bool spaced = s->cursor < s->end && is_space(*s->cursor);
        skip_space(s);
        if (s->cursor == s->end)
            return false;
        if (*s->cursor == '>' || *s->cursor == '/')
            return true;
        if (!spaced || !take_name(s, &name))
            return false;
        skip_space(s);
        if (!take(s, "="))
            return false;
        skip_space(s);
        if (take(s, "\"")) {
            if (!take_until(s, "\"", &value))
                return false;
        } else if (!take(s, "'") || !take_until(s, "'", &value)) {
            return false;
        }
    }
}

static struct slice local_name(struct slice name)
{
    const char *colon = memrchr(name.data, ':', name.len);
    return colon ? slice_make(colon + 1, (size_t)(name.data + name.len - colon - 1)) : name;
}

static bool push(struct scanner *s, struct slice name)
{
    struct slice local = local_name(name);
    if (s->depth == S3_XML_DEPTH_MAX || s->path_len + local.len + 2 > sizeof(s->path))
        return false;
    s->names[s->depth] = name;
    s->lengths[s->depth++] = s->path_len;
    if (s->path_len)
        s->path[s->path_len++] = '/';
    memcpy(s->path + s->path_len, local.data, local.len);
    s->path_len += local.len;
    s->path[s->path_len] = '\0';
    s->has_children = false;
    text_clear(&s->content);
    return true;
}

static bool pop(struct scanner *s)
{
    struct slice content = s->has_children ? (struct slice){0} : text_slice(&s->content);
    if (!s->visit(s->ctx, s->path, content))
        return false;
    s->path_len = s->lengths[--s->depth];
    s->path[s->path_len] = '\0';
    s->has_children = true;
    text_clear(&s->content);
    return true;
}

static bool read_end_tag(struct scanner *s)
{
    struct slice name;
    if (!take_name(s, &name) || s->depth == 0 || !slice_equal(name, s->names[s->depth - 1]))
        return false;
    skip_space(s);
    return take(s, ">") && pop(s);
}

static bool read_start_tag(struct scanner *s)
{
    struct slice name;
    if (!take_name(s, &name) || (s->depth == 0 && s->had_root) || !push(s, name))
        return false;
    s->had_root = true;
    if (!skip_attributes(s))
        return false;
    if (take(s, "/>"))
        return pop(s);
    return take(s, ">");
}

static bool read_markup(struct scanner *s)
{
    struct slice passed;
    if (take(s, "<!--"))
        return take_until(s, "-->", &passed);
    if (take(s, "<?"))
        return take_until(s, "?>", &passed);
    if (take(s, "<![CDATA[")) {
        if (s->depth == 0 || !take_until(s, "]]>", &passed))
            return false;
        text_append_slice(&s->content, passed);
        return true;
    }
    if (take(s, "</"))
        return read_end_tag(s);
    return take(s, "<") && read_start_tag(s);
}

bool s3_xml_walk(struct slice document, s3_xml_visit *visit, void *ctx)
{
    struct scanner s = {
        .cursor = document.data, .end = document.data + document.len, .visit = visit, .ctx = ctx};
    bool ok = document.len > 0;
    if (ok)
        take(&s, "\xEF\xBB\xBF");
    while (ok && s.cursor < s.end)
        ok = *s.cursor == '<' ? read_markup(&s) : read_text(&s);
    text_release(&s.content);
    return ok && s.had_root && s.depth == 0;
}

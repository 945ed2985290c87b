/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every token but the star matches exactly one character. So it is enough to remember the last star
 * and to let it take one character more when what follows it fails: an earlier star need never be
 * tried again.
 */
#include "server/glob.h"

struct matcher {
    const unsigned char *at, *end; /* of the pattern */
    bool ignore_case;
};

static unsigned fold(const struct matcher *m, unsigned char c)
{
    return m->ignore_case && c >= 'A' && c <= 'Z' ? c + 32u : c;
}

/* A range at m->at ("a-z", either way round); leaves m->at on its last character. */
static bool in_range(struct matcher *m, unsigned c)
{
    unsigned low = fold(m, m->at[0]), high = fold(m, m->at[2]);
    m->at += 2;
    return low <= high ? c >= low && c <= high : c >= high && c <= low;
}

/* m->at is behind the "["; leaves it behind the "]". A class that does not end takes all the rest.
 */
static bool match_class(struct matcher *m, unsigned char c)
{
    bool negated = m->at < m->end && *m->at == '^', found = false;
    m->at += negated;
    for (; m->at < m->end && *m->at != ']'; m->at++) {
        size_t left = (size_t)(m->end - m->at);
        if (*m->at == '\\' && left >= 2)
            found |= *++m->at == c;
        else if (left >= 3 && m->at[1] == '-')
            found |= in_range(m, fold(m, c));
        else
            found |= fold(m, *m->at) == fold(m, c);
    }
    m->at += m->at < m->end;
    return found != negated;
}

/* One token that is no star; moves behind it when it matches. */
static bool match_one(struct matcher *m, unsigned char c)
{
    if (m->at == m->end)
        return false;
    unsigned char token = *m->at++;
    if (token == '?')
        return true;
    if (token == '[')
        return match_class(m, c);
    if (token == '\\' && m->at < m->end)
        token = *m->at++;
    return fold(m, token) == fold(m, c);
}

bool glob_match(struct slice pattern, struct slice text, bool ignore_case)
{
    struct matcher m = {(const unsigned char *)pattern.data, NULL, ignore_case};
    const unsigned char *c = (const unsigned char *)text.data, *end = c + text.len;
    const unsigned char *behind_star = NULL, *star_took = NULL;
    m.end = m.at + pattern.len;
    if (text.len == 0)
        return pattern.len == 0; /* even "*" does not match nothing: as Redis has it */
    while (c < end) {
        if (m.at < m.end && *m.at == '*') {
            behind_star = ++m.at;
            star_took = c;
        } else if (match_one(&m, *c)) {
            c++;
        } else if (behind_star) {
            m.at = behind_star;
            c = ++star_took;
        } else {
            return false;
        }
    }
    while (m.at < m.end && *m.at == '*')
        m.at++;
    return m.at == m.end;
}

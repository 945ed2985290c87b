/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The little XML that S3 and STS answer with: elements, text, entities. Attributes, comments and
 * processing instructions are checked and passed over; document types, and with them all entities
 * of a document's own, are refused. Made for hostile input: no recursion, bounded depth, no byte
 * outside the text is read.
 */
#ifndef CAIRN_PERSISTENCE_S3_XML_H
#define CAIRN_PERSISTENCE_S3_XML_H

#include <stdbool.h>

#include "persistence/text.h"

#define S3_XML_DEPTH_MAX 16
#define S3_XML_PATH_MAX  256

/*
 * Called at the end of each element. `path`: the names from the root to it, joined by '/', without
 * namespace prefixes. `content`: its text, decoded; empty when it has elements inside. False stops.
 */
typedef bool s3_xml_visit(void *ctx, const char *path, struct slice content);

/* True when the document was well formed and every visit returned true. */
bool s3_xml_walk(struct slice document, s3_xml_visit *visit, void *ctx);

#endif

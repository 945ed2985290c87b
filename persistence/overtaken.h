/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading a namespace of which another server's folds take objects away meanwhile: an object that
 * is gone, and that the newest head does not name any more, is no damage; one begins again with
 * that head. What readers do when that does not end.
 */
#ifndef CAIRN_PERSISTENCE_OVERTAKEN_H
#define CAIRN_PERSISTENCE_OVERTAKEN_H

#define OVERTAKEN_ATTEMPTS 8
/* Behind the name of the namespace. */
#define OVERTAKEN_AGAIN                                                                            \
    "other servers fold it away faster than it can be read; try again, or let them keep for "      \
    "longer what they have folded (their directive history)"

#endif

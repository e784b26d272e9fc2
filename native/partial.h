/*
 * What an interrupted rsync had written of a file: kept in .psync/partial, so that the next transfer
 * goes on from there (65 of the scenarios that psync is held against).
 *
 * A name is the id of the file in its batch, which the brain makes from its path: a wrong one costs
 * bytes and nothing else, as rsync compares what it has made with the source's sum in any case. Psync's
 * own; nothing in it is ever taken for a version.
 */
#ifndef PSYNC_PARTIAL_H
#define PSYNC_PARTIAL_H

#include "live.h"
#include "site.h"

/* Takes what rsync left in .psync/stage/<batch> of files that did not arrive whole. */
void partial_keep(const struct site *site, const char *batch);
/* Gives a kept one to rsync, which looks for it in .psync/stage/<batch>/.partial. */
void partial_give(const struct site *site, const char *batch, uint32_t id);
/* Gives a kept one with what is still missing of the file that is to arrive (`incoming` bytes) taken from
 * the live one, of which the lease goes. Returns false where there is none, or no room: nothing is given. */
bool partial_join(const struct site *site, const char *batch, uint32_t id, struct live *live, uint64_t incoming);
/* Removes a kept one: there is a better basis. */
void partial_drop(const struct site *site, uint32_t id);
/* Removes those that are older than `age_s`; 0: all. */
void partial_purge(const struct site *site, int64_t age_s);

#endif

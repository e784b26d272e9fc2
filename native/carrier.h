/*
 * The carrier: a stream of packs between the `apply` of one host and that of the other, so that what
 * is in them passes no interpreter.
 *
 * DESIGN
 * `apply` waits on a socket with an abstract name of 128 random bits for the two ends of a stream that
 * somebody of the same user hands over (carry.c). It greets, and once it is greeted the carrier is up.
 * Each pack bears a number of its sender, by which a commit on the other side takes it. Whatever is
 * wrong (an end, silence, a number twice, too much) ends the carrier alone: what waits for a pack is
 * told that it is gone, and packs go in the records again. The content is believed as much as that of
 * a record: who sends a pack says in its A_PACKED what is in it.
 *
 * THREADS
 * One reads; any may send and take. Nobody waits for longer than CARRIER_SILENCE_S without a byte.
 *
 * Stream: 8 bytes CARRIER_GREETING, then packs: u64 number (not 0), u32 length, content.
 */
#ifndef PSYNC_CARRIER_H
#define PSYNC_CARRIER_H

#include <pthread.h>

#include "record.h"

#define CARRIER_PACK_MAX (8u << 20) /* bytes of one pack */
#define CARRIER_PACKS 8             /* that nobody has taken yet */
#define CARRIER_SILENCE_S 30
#define CARRIER_COMING_MS 1500 /* that a pack waits for a stream, from when the first one was wanted */

enum carrier_state { CARRIER_NONE, CARRIER_WAITS, CARRIER_UP, CARRIER_GONE };

struct carried {
  uint64_t number; /* 0: the place is free */
  struct buf content;
};

struct carrier {
  pthread_mutex_t lock; /* of all that follows but `sending` */
  pthread_cond_t changed;
  pthread_mutex_t sending; /* the stream's way out */
  enum carrier_state state;
  pthread_t reader;
  bool has_reader;
  char name[64];             /* of the socket, without the leading NUL */
  int listener, in, out;     /* -1: none; `out` is closed by the reader, with `sending` held */
  int holder;                /* a connection that ends when whoever brought the stream does; -1: none */
  int stop;                  /* an eventfd: readable once everybody is to give up */
  uint64_t last;             /* number that was sent */
  int64_t heard_ns;          /* when bytes came last */
  int64_t wanted_ns;         /* when a stream was asked for */
  struct carried packs[CARRIER_PACKS];
};

void carrier_init(struct carrier *c);
/* Waits for a stream from now on, if none is there. Returns the name of the socket, or NULL with errno. */
const char *carrier_listen(struct carrier *c);
/* Sends a pack; waits a moment where the stream is still on its way. Returns its number; 0: it could not be sent. */
uint64_t carrier_send(struct carrier *c, const struct buf *content);
/* Waits for a pack and takes it, for the caller to free. Returns false where it does not come. */
bool carrier_take(struct carrier *c, uint64_t number, struct buf *content);
/* Has everybody give up, now and from then on. */
void carrier_stop(struct carrier *c);
/* After nobody uses it any more. */
void carrier_free(struct carrier *c);

#endif

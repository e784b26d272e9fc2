/*
 * The carrier: a stream of packs between the `apply` of one host and that of the other, so that what
 * is in them passes no interpreter.
 *
 * DESIGN
 * `apply` waits on a socket with an abstract name of 128 random bits for the two ends of a stream that
 * somebody of the same user hands over (carry.c). It greets, and once it is greeted the carrier is up.
 * Each pack bears a number of its sender, by which a commit on the other side takes it. Numbers rise, also
 * from one stream to the next: what is below the last that came, or below what the greeting says, comes no
 * more. Whatever is wrong (an end, silence, a number that does not rise, too much) ends the carrier alone:
 * what waits for a pack is told that it is gone, and packs go in the records again. Whoever asks for a
 * stream has none: one that is still there is stuck, and makes room. The content is believed as much as
 * that of a record: who sends a pack says in its A_PACKED what is in it.
 *
 * THREADS
 * One reads; any may send and take. Nobody waits for longer than CARRIER_SILENCE_S without a byte. Locks in
 * this order: `bringing`, then `lock` or `sending`, never both.
 *
 * Stream: "psync-2\n", u64 from which number on will be sent; then packs: u64 number (not 0), u32 length,
 * content.
 */
#ifndef PSYNC_CARRIER_H
#define PSYNC_CARRIER_H

#include <pthread.h>

#include "record.h"

#define CARRIER_PACK_MAX (8u << 20) /* bytes of one pack */
#define CARRIER_PACKS 8             /* that nobody has taken yet */
#define CARRIER_SILENCE_S 30
#define CARRIER_COMING_MS 1500 /* that a pack waits for a stream, from when the first one was wanted */
#define CARRIER_WORTH (256u << 10) /* bytes of a pack that waits: a smaller one is through the frames sooner */
#define CARRIER_NAME_SIZE 64

enum carrier_state { CARRIER_NONE, CARRIER_WAITS, CARRIER_UP, CARRIER_GONE };

struct carried {
  uint64_t number; /* 0: the place is free */
  struct buf content;
};

struct carrier {
  pthread_mutex_t bringing; /* what begins a stream, and ends the one before: `reader`, `has_reader`, `name` */
  pthread_t reader;
  bool has_reader;
  char name[CARRIER_NAME_SIZE]; /* of the socket, without the leading NUL */

  pthread_mutex_t lock; /* of what follows, up to the next */
  pthread_cond_t changed;
  enum carrier_state state;
  bool is_ended;             /* no stream is begun any more */
  uint64_t streams;          /* that were waited for until now */
  uint64_t next;             /* the lowest number that may still come */
  int64_t heard_ns;          /* when bytes came last */
  int64_t wanted_ns;         /* when the first stream was asked for */
  struct carried packs[CARRIER_PACKS];

  pthread_mutex_t sending; /* the stream's way out */
  int out;                 /* -1: none */
  uint64_t last;           /* number that was sent */
  int holder;              /* a connection that ends when whoever brought the stream does; -1: none. The reader's, too */

  int listener, in; /* the reader's alone; -1: none */
  int stop;         /* an eventfd: readable while everybody is to give up */
};

void carrier_init(struct carrier *c);
/* Waits for a stream from now on, in place of one that is there. Gives the name of the socket. Returns 0, or -1 with errno. */
int carrier_listen(struct carrier *c, char name[CARRIER_NAME_SIZE]);
/* Sends a pack; a large one waits a moment where the stream is still on its way. Returns its number; 0: it was not sent. */
uint64_t carrier_send(struct carrier *c, const struct buf *content);
/* Waits for a pack and takes it, for the caller to free. Returns false where it does not come. */
bool carrier_take(struct carrier *c, uint64_t number, struct buf *content);
/* Has everybody give up, now and from then on. */
void carrier_stop(struct carrier *c);
/* After nobody uses it any more. */
void carrier_free(struct carrier *c);

#endif

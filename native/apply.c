/*
 * `psync-native apply`: reading, dispatch, answers; see apply.h.
 */
#include "apply.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apply_open.h"
#include "apply_own.h"
#include "apply_pack.h"
#include "apply_pool.h"
#include "apply_supply.h"
#include "apply_trash.h"
#include "carrier.h"
#include "commit.h"
#include "look.h"
#include "spare.h"

#define SPARE_IDLE_MS 1000

struct apply { /* the state of the process */
  struct replica replica;
  struct pool pool;
  struct carrier carrier;
  pthread_mutex_t out; /* stdout */
  bool out_is_gone;    /* under `out`: nobody reads answers; nothing more is begun */
};

struct request {
  struct job job; /* first: a job is its request */
  struct apply *apply;
  struct buf record;
  uint8_t type;
  uint32_t id;
  union {
    struct bytes text; /* A_RELEASE: batch, A_SWEEP: label */
    struct open_request open;
    struct own_epoch epoch; /* A_SYNC */
    uint64_t needed; /* A_STATFS */
    struct own_marks marks;
    struct look_request look;
    struct commit commit;
    struct supply_request supply;
    struct trash_query trash_query;
    struct trash_request trash;
    struct pack_request pack;
  } body;
};

static bool parse_text(struct reader *r, struct bytes *text) {
  *text = get_bytes16(r);
  return !r->bad && r->at == r->end;
}

static bool parse_label(struct reader *r, struct bytes *text) { return parse_text(r, text) && site_name_is_plain(*text); }

/* Reads the body by its type. Returns false where it is malformed. */
static bool parse(struct request *q) {
  struct reader r = {.at = q->record.data, .end = q->record.data + q->record.len};
  q->type = get_u8(&r);
  q->id = get_u32(&r);
  switch (q->type) {
    case A_OPEN: return open_parse(&r, &q->body.open);
    case A_ADOPT: return own_parse_marks(&r, &q->body.marks);
    case A_LOOK: return look_parse(&r, &q->body.look);
    case A_COMMIT: return commit_parse(&r, &q->body.commit);
    case A_SUPPLY:
    case A_PREPARE: return supply_parse(&r, &q->body.supply);
    case A_RELEASE: return supply_parse_release(&r, &q->body.text);
    case A_SWEEP: return parse_label(&r, &q->body.text);
    case A_TRASH_LIST: return trash_parse_query(&r, &q->body.trash_query);
    case A_TRASH: return trash_parse(&r, &q->body.trash);
    case A_PACK: return pack_parse(&r, &q->body.pack);
    case A_SYNC: return own_parse_epoch(&r, &q->body.epoch);
    case A_STATFS: q->body.needed = get_u64(&r); return !r.bad && r.at == r.end;
    case A_CARRY:
    case A_UNLOCK: return r.at == r.end;
    default: return false;
  }
}

static void free_request(struct request *q) {
  if (q->type == A_LOOK) look_free(&q->body.look);
  if (q->type == A_COMMIT) commit_free(&q->body.commit);
  if (q->type == A_SUPPLY || q->type == A_PREPARE) supply_free(&q->body.supply);
  if (q->type == A_TRASH) trash_request_free(&q->body.trash);
  if (q->type == A_PACK) pack_free(&q->body.pack);
  buf_free(&q->record);
  free(q);
}

static void write_done(struct buf *answer, struct own_result result) {
  buf_u32(answer, (uint32_t)result.error);
  buf_u8(answer, (uint8_t)result.status);
}

static void listen_for_carrier(struct carrier *carrier, struct buf *answer) {
  char name[CARRIER_NAME_SIZE] = "";
  buf_u32(answer, carrier_listen(carrier, name) < 0 ? (uint32_t)errno : 0);
  buf_bytes16(answer, name, strlen(name));
}

static void sync_replica(struct replica *replica, const struct own_epoch *epoch, struct buf *answer) {
  struct kept_list kept = {0};
  write_done(answer, own_sync(replica, epoch, &kept));
  buf_u32(answer, kept.count);
  buf_put(answer, kept.places.data, kept.places.len);
  buf_free(&kept.places);
}

static uint8_t answer_type(uint8_t request) {
  switch (request) {
    case A_OPEN: return A_READY;
    case A_LOOK: return A_LOOKED;
    case A_COMMIT:
    case A_TRASH: return A_COMMITTED;
    case A_SUPPLY:
    case A_PREPARE:
    case A_RELEASE: return A_RESULTS;
    case A_SWEEP: return A_SWEPT;
    case A_STATFS: return A_SPACE;
    case A_SYNC: return A_SYNCED;
    case A_TRASH_LIST: return A_TRASHED;
    case A_PACK: return A_PACKED;
    case A_CARRY: return A_CARRYING;
    default: return A_DONE;
  }
}

/* Does what is asked for and writes the body of the answer. */
static void serve(struct request *q, struct buf *answer) {
  struct replica *r = &q->apply->replica;
  switch (q->type) {
    case A_OPEN: replica_open(r, &q->body.open, answer); break;
    case A_ADOPT: write_done(answer, own_adopt(r, &q->body.marks)); break;
    case A_UNLOCK: write_done(answer, own_unlock(r)); break;
    case A_LOOK: look_run(r, &q->body.look, answer); break;
    case A_COMMIT:
      commit_receive(&q->body.commit, &q->apply->carrier);
      commit_run(r, &q->body.commit, answer);
      break;
    case A_SUPPLY: supply_run(r, &q->body.supply, answer); break;
    case A_PREPARE: supply_prepare(r, &q->body.supply, answer); break;
    case A_RELEASE: supply_release(r, q->body.text, answer); break;
    case A_SYNC: sync_replica(r, &q->body.epoch, answer); break;
    case A_SWEEP: own_sweep(r, q->body.text, answer); break;
    case A_TRASH_LIST: trash_list(r, &q->body.trash_query, answer); break;
    case A_TRASH: trash_run(r, &q->body.trash, answer); break;
    case A_PACK: pack_run(r, &q->apply->carrier, &q->body.pack, answer); break;
    case A_CARRY: listen_for_carrier(&q->apply->carrier, answer); break;
    default: own_space(r, q->body.needed, answer); break;
  }
}

static void send(struct apply *a, const struct buf *answer) {
  pthread_mutex_lock(&a->out);
  if (!a->out_is_gone && write_all(STDOUT_FILENO, answer->data, answer->len) < 0) a->out_is_gone = true;
  pthread_mutex_unlock(&a->out);
}

static bool has_reader(struct apply *a) {
  pthread_mutex_lock(&a->out);
  bool has = !a->out_is_gone;
  pthread_mutex_unlock(&a->out);
  return has;
}

static void run_request(struct job *job) {
  struct request *q = (struct request *)job;
  struct buf answer = {0};
  if (has_reader(q->apply)) {
    size_t begin = record_begin(&answer, answer_type(q->type), q->id);
    serve(q, &answer);
    record_end(&answer, begin);
    send(q->apply, &answer);
  }
  buf_free(&answer);
  free_request(q);
}

/* Takes one parsed request. A_OPEN, A_ADOPT, A_UNLOCK change what the others rest on: they run alone. */
static void take_request(struct apply *a, struct request *q) {
  bool alone = q->type == A_OPEN || q->type == A_ADOPT || q->type == A_UNLOCK;
  q->job.run = run_request;
  q->job.size = q->record.cap;
  if (!alone) {
    pool_push(&a->pool, &q->job);
    return;
  }
  if (q->type == A_UNLOCK) carrier_stop(&a->carrier); /* who leaves waits for nothing that may not come */
  pool_drain(&a->pool);
  run_request(&q->job);
}

/* Ends the process after what was begun. */
static _Noreturn void end_malformed(struct apply *a, int err, const char *text) {
  carrier_stop(&a->carrier);
  pool_end(&a->pool);
  die_fatal(2, err, text);
}

/* Nothing was asked for in a while: what is kept for more of the same is given back. */
static void await_request(void) {
  struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
  if (spare_is_kept() && poll(&in, 1, SPARE_IDLE_MS) == 0) spare_drop();
}

/* Reads and takes one request. Returns false at the end of stdin. */
static bool read_request(struct apply *a) {
  await_request();
  struct request *q = must_alloc(sizeof *q);
  *q = (struct request){.apply = a};
  int got = record_read(STDIN_FILENO, &q->record);
  if (got == 1 && parse(q)) {
    take_request(a, q);
    return true;
  }
  int err = got < 0 ? errno : EPROTO;
  bool malformed = got != 0;
  free_request(q);
  if (malformed) end_malformed(a, err, "Cannot read request");
  return false;
}

static void prepare_process(void) {
  /* A lease that is being broken is asked for (lease.h); a reader that is gone shows as EPIPE; the
   * terminal's signals are for psync, which closes our stdin. */
  static const int ignored[] = {SIGIO, SIGPIPE, SIGINT, SIGHUP, SIGQUIT};
  for (unsigned i = 0; i < sizeof ignored / sizeof *ignored; i++) signal(ignored[i], SIG_IGN);
  umask(077);
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
}

int apply_main(void) {
  struct apply *a = must_alloc(sizeof *a);
  prepare_process();
  *a = (struct apply){0};
  replica_init(&a->replica);
  pool_init(&a->pool);
  carrier_init(&a->carrier);
  pthread_mutex_init(&a->out, NULL);
  if (chdir("/") < 0) die_fatal(2, errno, "Cannot go to /");
  while (has_reader(a) && read_request(a)) {
  }
  carrier_stop(&a->carrier); /* nothing that is begun may wait for what does not come any more */
  pool_end(&a->pool);
  carrier_free(&a->carrier);
  int status = has_reader(a) ? 0 : 4;
  supply_forget(&a->replica);
  trash_forget(trash_take_drops(&a->replica));
  replica_free(&a->replica);
  free(a);
  return status;
}

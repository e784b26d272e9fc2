/*
 * The watched directories as a tree of nodes, found by watch descriptor or by (parent, name).
 *
 * DESIGN
 * A node stands for one directory. Paths are not stored; tree_path builds them from the parents, so
 * that a renamed directory is one re-parented node (tree_move). A node without a watch (wd -1) is
 * there because a watched one lies below it, or because its watch could not be set.
 * A subtree that is dropped is only cut off (tree_bury, O(1)); its watches are removed and its nodes
 * freed later, a few at a time (tree_reap). Until then events still find its nodes: tree_path tells
 * that they are dead.
 * After lost events every position in the tree is doubtful: the tree's epoch goes up, and a node is
 * trusted again once it was listed (`epoch` equal to the tree's).
 *
 * OWNERSHIP: the tree owns the nodes. Whoever keeps a node over a release of the lock takes a
 * reference (tree_ref): the node then stays readable, dead or alive, until tree_unref.
 * Nothing here locks; callers hold the lock of struct watch.
 */
#ifndef PSYNC_TREE_H
#define PSYNC_TREE_H

#include "record.h"
#include "table.h"

struct node {
  struct node *parent; /* NULL: the root, or the top of a buried subtree */
  struct node *child;  /* its first child */
  struct node *next;   /* its next sibling; in the graveyard: the next grave */
  struct node *prev;   /* its previous sibling */
  uint8_t *name;       /* not NUL-terminated; owned */
  int wd;              /* its watch descriptor, -1: none */
  uint32_t refs;       /* holders besides the tree */
  uint32_t epoch;      /* the tree's epoch when it was last seen where it stands */
  uint32_t last_to;    /* hash of the name last moved in, 0 where another name event came after */
  int last_from_wd;    /* the watch of the directory from which it came, -1: not known, */
  uint32_t last_from;  /* and the hash of its name there */
  uint8_t len;         /* of the name */
  bool is_reaped;      /* out of the tree for good; freed with its last reference */
};

struct tree {
  struct node *root;
  struct node *graves;   /* buried subtrees, by next */
  struct table by_wd;    /* watched nodes, dead ones as well */
  struct table by_name;  /* all nodes that have a parent */
  uint32_t epoch;
};

enum path_state { PATH_FINE, PATH_DEAD, PATH_LONG };

void tree_init(struct tree *t);
/* Frees every node and table. No node may be referenced any more. */
void tree_free(struct tree *t);

struct node *tree_of_wd(const struct tree *t, int wd);
struct node *tree_child(const struct tree *t, const struct node *parent, struct bytes name);
/* Returns the node at a valid path, or NULL. */
struct node *tree_at(const struct tree *t, struct bytes path);

/* Makes an unwatched node of the present epoch; there is none of that name yet. */
struct node *tree_add(struct tree *t, struct node *parent, struct bytes name);
/* Gives a node its watch descriptor (-1: none). No other node may have it. */
void tree_set_wd(struct tree *t, struct node *n, int wd);
/* Re-parents and renames; nothing stands at the new name, and `parent` is not below `n`. */
void tree_move(struct tree *t, struct node *n, struct node *parent, struct bytes name);
/* Cuts a subtree off. Of the root: its children, and its watch is left to the caller. */
void tree_bury(struct tree *t, struct node *n);
/* Removes up to `max` buried nodes and their watches from inotify_fd. Returns whether more wait. */
bool tree_reap(struct tree *t, int inotify_fd, size_t max);

struct node *tree_ref(struct node *n); /* NULL stays NULL */
void tree_unref(struct node *n);       /* NULL is allowed */

/* Whether `n` is `top` or lies below it. */
bool tree_is_within(const struct node *n, const struct node *top);
/* Appends the path of `name` in `n` (of `n` itself where name is empty) to `out`; only where FINE. */
enum path_state tree_path(const struct tree *t, const struct node *n, struct bytes name, struct buf *out);

#endif
